import { createRootRoute, createRoute, createRouter, lazyRouteComponent, retainSearchParams } from '@tanstack/react-router'
import { Broken, LostPage } from './broken'
import { Shell } from './Shell'
import { parseSearch, stringifySearch, type Search } from './url'

const root = createRootRoute({
  component: Shell,
  notFoundComponent: LostPage,
  errorComponent: Broken,
  validateSearch: (search: Record<string, unknown>): Search => search as Search,
  // The moment stays when somebody goes to another page.
  search: { middlewares: [retainSearchParams(['at'])] },
})

const at = <Path extends string>(path: Path, component: () => Promise<{ default: React.ComponentType }>) =>
  createRoute({ getParentRoute: () => root, path, component: lazyRouteComponent(component), errorComponent: Broken })

const tree = root.addChildren([
  at('/', () => import('../Observing/OverviewPage')),
  at('/nodes', () => import('../Registering/NodesPage')),
  at('/nodes/$node', () => import('../Registering/NodePage')),
  at('/devices', () => import('../Registering/DevicesPage')),
  at('/devices/$uuid', () => import('../Registering/DevicePage')),
  at('/workloads', () => import('../Observing/WorkloadsPage')),
  at('/workloads/$podUid', () => import('../Observing/WorkloadPage')),
  at('/pending', () => import('../Placing/PendingPage')),
  at('/namespaces', () => import('../Observing/NamespacesPage')),
  at('/usage', () => import('../Observing/UsagePage')),
  at('/history', () => import('../Replaying/HistoryPage')),
])

export const router = createRouter({ routeTree: tree, parseSearch, stringifySearch, defaultPreload: 'intent', scrollRestoration: true })

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router
  }
}
