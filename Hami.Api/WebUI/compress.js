// Each built file once more as brotli and gzip, as small as they get: the server sends what the browser takes.
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const folder = new URL('dist/', import.meta.url)
for (const name of readdirSync(folder, { recursive: true })) {
  const file = new URL(name, folder)
  if (!statSync(file).isFile() || !/\.(js|css|svg)$/.test(name)) continue
  const bytes = readFileSync(file)
  writeFileSync(new URL(`${name}.br`, folder), brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }))
  writeFileSync(new URL(`${name}.gz`, folder), gzipSync(bytes, { level: 9 }))
}
