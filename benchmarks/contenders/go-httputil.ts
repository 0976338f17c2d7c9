import '../contract.ts'
import { runGo } from '../go.ts'

runGo('go-httputil')
