import { Text } from '@mantine/core'
import { PageLink } from '../Plumbing/PageLink'

/** The name of a pod, which leads to it, over its namespace. */
export function PodLink({ of, id }: { of: { podUid: string; namespace: string; pod: string }; id: string }) {
  return (
    <>
      <PageLink to="/workloads/$podUid" params={{ podUid: of.podUid }} size="sm" data-testid={id} data-value={of.podUid}>{of.pod}</PageLink>
      <Text size="xs" c="dimmed">{of.namespace}</Text>
    </>
  )
}
