import { Anchor } from '@mantine/core'
import { Link } from '@tanstack/react-router'

export function PodLink({ podUid, name }: { podUid: string; name?: string }) {
  return <Anchor component={Link} to="/workloads/$podUid" params={{ podUid } as never} size="sm" style={{ overflowWrap: 'anywhere' }}>{name ?? podUid}</Anchor>
}

export function NodeLink({ node }: { node: string }) {
  return <Anchor component={Link} to="/nodes/$node" params={{ node } as never} size="sm">{node}</Anchor>
}

export function DeviceLink({ uuid }: { uuid: string }) {
  return <Anchor component={Link} to="/devices/$uuid" params={{ uuid } as never} size="sm" style={{ overflowWrap: 'anywhere' }}>{uuid}</Anchor>
}
