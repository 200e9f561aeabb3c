import { Anchor, Text } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { useYou } from '../../Access/Gate'

/** The name of a node, which leads to it for who may see nodes. */
export function NodeLink({ node }: { node: string }) {
  const you = useYou()
  return you.nodes ? <Anchor component={Link} to={`/nodes/${encodeURIComponent(node)}`} size="sm">{node}</Anchor> : <Text span size="sm">{node}</Text>
}
