import { useYou } from '../../Access/Gate'
import { NamespaceChoicesDocument, NodeChoicesDocument } from '../asked'
import { useMoment } from '../moment'
import { useQuestion } from '../question'

/** Choices change seldom. */
const rare = { isDear: true, every: 60_000 }

/** Names of the namespaces that hold something or are limited; of all that somebody sees where those are told. */
export function useNamespaces(): string[] {
  const you = useYou()
  const { at } = useMoment()
  const { data } = useQuestion(NamespaceChoicesDocument, { at }, rare)
  const held = data?.quotas.items.flatMap((quota) => quota?.namespace ?? []) ?? []
  return [...new Set([...held, ...you.namespaces])].sort()
}

/** Names of the nodes, for who may see them. */
export function useNodes(): string[] {
  const you = useYou()
  const { at } = useMoment()
  const { data } = useQuestion(NodeChoicesDocument, { at }, { ...rare, enabled: you.nodes })
  return data?.nodes.items.flatMap((node) => node?.name ?? []) ?? []
}
