/**
 * The token somebody signed in with. It is kept by the tab alone (sessionStorage), never in an address, a cookie or on disk;
 * another tab of this page gets it from an open one over a channel of this origin.
 */
const key = 'hami-token'
const channel = new BroadcastChannel('hami-token')
const listeners = new Set<() => void>()

/** The token that the server took last no longer. */
let over: string | undefined

type Message = { ask: true } | { token: string } | { signedOut: true }

channel.onmessage = (event: MessageEvent<Message>) => {
  const mine = token()
  if ('ask' in event.data && mine) channel.postMessage({ token: mine })
  else if ('token' in event.data && !mine && event.data.token !== over) keep(event.data.token)
  else if ('signedOut' in event.data && mine) keep(null)
}

if (!token()) channel.postMessage({ ask: true })

export function token(): string | null {
  return sessionStorage.getItem(key)
}

export function signIn(bearer: string): void {
  keep(bearer)
  channel.postMessage({ token: bearer })
}

/** Signs out in every tab. */
export function signOut(): void {
  over = undefined
  keep(null)
  channel.postMessage({ signedOut: true })
}

/** Forgets a token that was refused, in this tab; another may have a newer one. */
export function clearToken(): void {
  const refused = token()
  if (!refused) return
  over = refused
  keep(null)
  channel.postMessage({ ask: true })
}

/** Whether somebody was signed in here, and is no more because the time of their token is over. */
export function isOver(): boolean {
  return !!over && !token()
}

export function onTokenChange(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

function keep(bearer: string | null): void {
  if (bearer) sessionStorage.setItem(key, bearer)
  else sessionStorage.removeItem(key)
  listeners.forEach((listener) => listener())
}
