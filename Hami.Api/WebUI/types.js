// Types of what is asked: every *.graphql beside a page is checked against the schema and becomes a typed document in src/Plumbing/asked.ts.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { codegen } from '@graphql-codegen/core'
import * as typescript from '@graphql-codegen/typescript'
import * as operations from '@graphql-codegen/typescript-operations'
import * as typedDocuments from '@graphql-codegen/typed-document-node'
import { buildSchema, parse } from 'graphql'

const schemaText = readFileSync(process.env.HAMI_SCHEMA ?? new URL('../../Hami.Tests/Approved/schema.graphql', import.meta.url), 'utf8')
const schema = buildSchema(schemaText)
const target = new URL('src/Plumbing/asked.ts', import.meta.url)
const source = new URL('src/', import.meta.url)

const documents = readdirSync(source, { recursive: true })
  .filter((file) => file.endsWith('.graphql'))
  .sort()
  .map((file) => ({ location: file, document: parse(readFileSync(new URL(file, source), 'utf8')) }))

const asText = { scalars: { DateTimeOffset: 'string', DateOnly: 'string', Decimal: 'number', Long: 'number', ULong: 'number' }, enumsAsTypes: true, useTypeImports: true }
const text = await codegen({
  filename: 'asked.ts',
  schema: parse(schemaText),
  schemaAst: schema,
  documents,
  config: { ...asText, documentMode: 'string', preResolveTypes: true, skipTypename: true },
  pluginMap: { typescript, operations, typedDocuments },
  plugins: [{ typescript: { onlyOperationTypes: true } }, { operations: {} }, { typedDocuments: {} }],
})
writeFileSync(target, `// Made by types.js from the schema and the *.graphql files; not kept in git.\n${text}`)
