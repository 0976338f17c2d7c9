import grpc, { type ClientReadableStream, type ClientDuplexStream, type ClientWritableStream, type Metadata, type ServiceError, type UntypedServiceImplementation } from '@grpc/grpc-js'
import type { TestContext } from 'node:test'

/* A service of gRPC with all four kinds of calls; messages are strings, so that it needs no schema. */

const text = {
  requestSerialize: (value: string): Buffer => Buffer.from(value),
  requestDeserialize: (bytes: Buffer): string => bytes.toString(),
  responseSerialize: (value: string): Buffer => Buffer.from(value),
  responseDeserialize: (bytes: Buffer): string => bytes.toString()
}

const definition = {
  unary: { path: '/test.Echo/Unary', requestStream: false, responseStream: false, ...text },
  upload: { path: '/test.Echo/Upload', requestStream: true, responseStream: false, ...text },
  download: { path: '/test.Echo/Download', requestStream: false, responseStream: true, ...text },
  both: { path: '/test.Echo/Both', requestStream: true, responseStream: true, ...text }
}

/** A server of gRPC on a port of 127.0.0.1, stopped after the test. */
export async function grpcServer (t: TestContext, methods: UntypedServiceImplementation, credentials: grpc.ServerCredentials = grpc.ServerCredentials.createInsecure()): Promise<number> {
  const server = new grpc.Server()
  server.addService(definition, methods)
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', credentials, (error, bound) => { error === null ? resolve(bound) : reject(error) })
  })
  t.after(() => { server.forceShutdown() })
  return port
}

export interface Outcome {
  messages: string[]
  error: ServiceError | null
  metadata: Metadata | null
  status: { code: number, details: string, metadata: Metadata } | null
}

export class GrpcClient {
  readonly client: grpc.Client

  constructor (address: string, credentials: grpc.ChannelCredentials) {
    this.client = new grpc.Client(address, credentials)
  }

  unary (message: string, metadata: Metadata = new grpc.Metadata(), options: grpc.CallOptions = {}): Promise<Outcome> {
    return new Promise((resolve) => {
      const outcome: Outcome = { messages: [], error: null, metadata: null, status: null }
      const call = this.client.makeUnaryRequest('/test.Echo/Unary', text.requestSerialize, text.responseDeserialize, message, metadata, options, (error, value) => {
        outcome.error = error
        if (value !== undefined) outcome.messages.push(value)
      })
      call.on('metadata', (received) => { outcome.metadata = received })
      call.on('status', (status) => {
        outcome.status = status
        setImmediate(() => { resolve(outcome) })
      })
    })
  }

  upload (done: (error: ServiceError | null, value?: string) => void): ClientWritableStream<string> {
    return this.client.makeClientStreamRequest('/test.Echo/Upload', text.requestSerialize, text.responseDeserialize, new grpc.Metadata(), {}, done)
  }

  download (message: string, options: grpc.CallOptions = {}): ClientReadableStream<string> {
    return this.client.makeServerStreamRequest('/test.Echo/Download', text.requestSerialize, text.responseDeserialize, message, new grpc.Metadata(), options)
  }

  both (): ClientDuplexStream<string, string> {
    return this.client.makeBidiStreamRequest('/test.Echo/Both', text.requestSerialize, text.responseDeserialize)
  }
}

export function grpcClient (t: TestContext, address: string, credentials: grpc.ChannelCredentials = grpc.credentials.createInsecure()): GrpcClient {
  const client = new GrpcClient(address, credentials)
  t.after(() => { client.client.close() })
  return client
}
