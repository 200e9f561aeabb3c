import { onTokenChange, signIn, token } from './token'

/** Why somebody who came back from the provider is not signed in; the server's words. */
const troubles = ['denied', 'unreachable', 'refused', 'stale', 'unnamed', 'groups', 'nothing', 'unaccepted', 'unavailable'] as const

export type Trouble = (typeof troubles)[number]

const told = document.querySelector<HTMLMetaElement>('meta[name=sign-in]')?.content.split(' ') ?? []

/** Whom people sign in with, by its host; undefined where they bring a token. */
export const provider = told.length === 2 ? told[1] : undefined

let trouble: Trouble | undefined
onTokenChange(() => {
  if (token()) trouble = undefined
})

/** What went wrong on the way back from the provider, if that is how this page was opened. */
export function troubleOfReturn(): Trouble | undefined {
  return trouble
}

/** Where the provider is asked to let somebody in, who is then sent back to what this page shows. */
export function signInAddress(): string {
  const { pathname, search } = location
  // What the server does not take: it stands in the provider's address too.
  const to = pathname.length + search.length <= 2_000 ? pathname + search : '/'
  return `${told[0]}?to=${encodeURIComponent(to)}`
}

/** Takes the token of somebody who has just been sent back; the mark in the address is taken away. */
export async function comeBack(): Promise<void> {
  const mark = /^#sign(?:ed-in|-in=([a-z]+))$/.exec(location.hash)
  if (!provider || !mark) return
  history.replaceState(history.state, '', location.pathname + location.search)
  trouble = mark[1] ? (troubles.find((known) => known === mark[1]) ?? 'unaccepted') : await take()
}

async function take(): Promise<Trouble | undefined> {
  try {
    const response = await fetch('/sign-in/token', { method: 'POST', headers: { 'X-Requested-With': 'hami' }, signal: AbortSignal.timeout(15_000) })
    if (!response.ok) return response.status === 410 ? 'stale' : 'unavailable'
    signIn(((await response.json()) as { token: string }).token)
    return undefined
  } catch {
    return 'unavailable'
  }
}
