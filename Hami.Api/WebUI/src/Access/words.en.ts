/** What is said to who signs in. */
export const access = {
  signIn: 'Sign in',
  signOut: 'Sign out',
  token: 'Token',
  tokenHint: 'A Kubernetes bearer token, or the ID token of your OpenID provider. It stays in this tab and is sent to this control plane alone.',
  tokenHow: 'To get one:',
  refused: 'You are not signed in: {{why}}',
  unreachable: 'the control plane does not answer.',
  you: 'Signed in as {{name}}',
  allNamespaces: 'all namespaces',
  namespaces_one: '{{count}} namespace',
  namespaces_other: '{{count}} namespaces',
  scope: 'You see',
  noNodes: 'no nodes and devices',
}
