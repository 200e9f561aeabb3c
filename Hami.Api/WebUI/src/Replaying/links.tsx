import { PageLink } from '../Plumbing/PageLink'

export function PodLink({ podUid, name }: { podUid: string; name?: string }) {
  return <PageLink to="/workloads/$podUid" params={{ podUid }} size="sm" style={{ overflowWrap: 'anywhere' }}>{name ?? podUid}</PageLink>
}

export function NodeLink({ node }: { node: string }) {
  return <PageLink to="/nodes/$node" params={{ node }} size="sm">{node}</PageLink>
}

export function DeviceLink({ uuid }: { uuid: string }) {
  return <PageLink to="/devices/$uuid" params={{ uuid }} size="sm" style={{ overflowWrap: 'anywhere' }}>{uuid}</PageLink>
}
