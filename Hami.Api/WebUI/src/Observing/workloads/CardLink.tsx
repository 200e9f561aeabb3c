import { Anchor, Text } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { useYou } from '../../Access/Gate'

/** The UUID of a card, which leads to it for who may see cards. */
export function CardLink({ uuid }: { uuid: string }) {
  const you = useYou()
  const style = { whiteSpace: 'nowrap' } as const
  return you.nodes ? <Anchor component={Link} to={`/devices/${encodeURIComponent(uuid)}`} size="xs" ff="monospace" style={style}>{uuid}</Anchor> : <Text span size="xs" ff="monospace" style={style}>{uuid}</Text>
}
