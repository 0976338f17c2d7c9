// The reverse proxy of Go's standard library, with connections kept alive.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"sync"
)

func main() {
	upstream, err := url.Parse(os.Getenv("UPSTREAM"))
	if err != nil {
		log.Fatal(err)
	}

	proxy := httputil.NewSingleHostReverseProxy(upstream)
	transport := &http.Transport{
		// The default keeps two idle connections per host and would reconnect all the time.
		MaxIdleConns:        1024,
		MaxIdleConnsPerHost: 1024,
		// Or it would ask for gzip on its own and unpack the answer.
		DisableCompression: true,
	}
	proxy.Transport = transport
	if os.Getenv("BUFFER_POOL") != "" {
		proxy.BufferPool = &buffers{sync.Pool{New: func() any {
			buffer := make([]byte, 32*1024) // the size ReverseProxy would allocate itself
			return &buffer
		}}}
	}

	address := "127.0.0.1:" + os.Getenv("PORT")
	if authority := os.Getenv("TLS_CA"); authority != "" {
		pem, err := os.ReadFile(authority)
		if err != nil {
			log.Fatal(err)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(pem)
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, ServerName: os.Getenv("TLS_NAME")}
		log.Fatal(http.ListenAndServeTLS(address, os.Getenv("TLS_CERT"), os.Getenv("TLS_KEY"), proxy))
	}
	log.Fatal(http.ListenAndServe(address, proxy))
}

type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte       { return *b.pool.Get().(*[]byte) }
func (b *buffers) Put(buffer []byte) { b.pool.Put(&buffer) }
