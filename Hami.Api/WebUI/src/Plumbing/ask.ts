import { clearToken, token } from '../Access/token'
import type { TypedDocumentString } from './asked'

/** What went wrong, with the code of the answer: UNAUTHENTICATED, FORBIDDEN, ARCHIVED, UNAVAILABLE, TOO_LONG, OFFLINE, … */
export class AskError extends Error {
  readonly code: string

  constructor(message: string, code: string) {
    super(message)
    this.code = code
  }
}

interface Answer<T> {
  data?: T | null
  errors?: { message: string; extensions?: { code?: string } }[]
}

/**
 * Asks one question.
 * @throws AskError when it is not answered in full: no connection, no right, or a field with an error.
 */
export async function ask<TResult, TVariables>(
  document: TypedDocumentString<TResult, TVariables>,
  variables: TVariables,
  signal?: AbortSignal,
  /** Instead of the one that somebody signed in with. */
  bearer?: string,
): Promise<TResult> {
  let response: Response
  try {
    response = await fetch('/graphql', {
      method: 'POST',
      headers: headers(bearer),
      body: JSON.stringify({ query: document.toString(), variables }),
      signal,
    })
  } catch (e) {
    if (signal?.aborted) throw e
    throw new AskError('', 'OFFLINE')
  }
  if (response.status === 401 && !bearer) clearToken()
  let answer: Answer<TResult>
  try {
    answer = (await response.json()) as Answer<TResult>
  } catch {
    throw new AskError(`HTTP ${response.status}`, 'OFFLINE')
  }
  const error = answer.errors?.[0]
  if (error || !answer.data)
    throw new AskError(error?.message ?? `HTTP ${response.status}`, response.status === 401 ? 'UNAUTHENTICATED' : (error?.extensions?.code ?? `HTTP_${response.status}`))
  return answer.data
}

export function headers(bearer = token()): Record<string, string> {
  return { 'Content-Type': 'application/json', ...(bearer ? { Authorization: `Bearer ${bearer}` } : {}) }
}
