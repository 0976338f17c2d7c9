import { readFile } from 'node:fs/promises'
import { extname, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { ProxyOptions } from '../../types/options.ts'
import { ConfigError, withoutSecrets } from '../errors.ts'

/**
 * Reads options from a JSON file, or from the default export of any module that this Node can import.
 * @throws ConfigError if there are none; what they say is for the plugin to judge
 */
export async function loadOptions (file: string): Promise<ProxyOptions> {
  const options = extname(file).toLowerCase() === '.json' ? await loadJson(file) : await loadModule(file)
  if (typeof options !== 'object' || options === null || Array.isArray(options)) throw refused(file, 'must hold an object of options')
  return options
}

async function loadJson (file: string): Promise<unknown> {
  const text = await readText(file)
  try {
    return JSON.parse(text)
  } catch (error) {
    throw refused(file, `is not JSON: ${(error as Error).message}`)
  }
}

async function loadModule (file: string): Promise<unknown> {
  // Read first: import would name a file that it cannot find by its URL, and not tell it from one that the module itself asks for.
  await readText(file)
  let module: { default?: unknown }
  try {
    module = await import(pathToFileURL(resolve(file)).href)
  } catch (error) {
    throw refused(file, `cannot be loaded: ${String(error)}`)
  }
  if (module.default === undefined) throw refused(file, 'has no default export')
  return module.default
}

async function readText (file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw refused(file, `cannot be read: ${(error as NodeJS.ErrnoException).code}`)
  }
}

function refused (file: string, message: string): ConfigError {
  return new ConfigError([{ path: withoutSecrets(file), message }])
}
