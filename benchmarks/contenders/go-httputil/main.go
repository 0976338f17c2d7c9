// The reverse proxy of Go's standard library, with connections kept alive.
package main

import (
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
	proxy.Transport = &http.Transport{
		// The default keeps two idle connections per host and would reconnect all the time.
		MaxIdleConns:        1024,
		MaxIdleConnsPerHost: 1024,
		// Or it would ask for gzip on its own and unpack the answer.
		DisableCompression: true,
	}
	if os.Getenv("BUFFER_POOL") != "" {
		proxy.BufferPool = &buffers{sync.Pool{New: func() any {
			buffer := make([]byte, 32*1024) // the size ReverseProxy would allocate itself
			return &buffer
		}}}
	}

	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), proxy))
}

type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte       { return *b.pool.Get().(*[]byte) }
func (b *buffers) Put(buffer []byte) { b.pool.Put(&buffer) }
