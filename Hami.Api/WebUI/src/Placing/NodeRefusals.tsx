import { Accordion, Anchor, Button, Group, Skeleton, Stack, Table, Text, TextInput, Title } from '@mantine/core'
import { useDebouncedCallback } from '@mantine/hooks'
import { Link } from '@tanstack/react-router'
import { Search } from 'lucide-react'
import { useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { RefusalsDocument, type RefusalsQuery } from '../Plumbing/asked'
import { Heading } from '../Plumbing/list/Heading'
import { useSorted, type Value } from '../Plumbing/list/rows'
import { useMoment } from '../Plumbing/moment'
import { useList } from '../Plumbing/question'
import { Empty, Failed } from '../Plumbing/states'
import * as units from '../Plumbing/units'
import { useUrl } from '../Plumbing/url'
import { Reasons, Reason } from './Reason'

type Refusal = NonNullable<RefusalsQuery['refusals']['items'][number]>

/** What every node says to a waiting pod, and every card of it. What is searched for stands in the address (`find`). */
export function NodeRefusals({ podUid, size = 50 }: {
  podUid: string
  /** Nodes of one page: each has all its cards. */
  size?: number
}) {
  const { t } = useTranslation('placing')
  const { at } = useMoment()
  const [find] = useUrl('find')
  const question = useList(RefusalsDocument, { pod: podUid, search: find, at }, (answer) => answer.refusals, { size })
  const nodes = question.rows as Refusal[]
  return (
    <Stack gap="xs" component="section" aria-label={t('refusals.title')}>
      <Title order={3} size="h5">{t('refusals.title')}</Title>
      <Group justify="space-between" gap="xs">
        <FindBox />
        <Text size="sm" c="dimmed" aria-live="polite">{question.total === undefined ? '' : t('refusals.total', { count: question.total, formatted: units.count(question.total) })}</Text>
      </Group>
      {question.error ? <Failed error={question.error} again={() => void question.refetch()} /> : null}
      {question.isPending && !question.error && <Skeleton height={120} />}
      {question.data && nodes.length === 0 && <Empty title={find ? t('refusals.notFound', { text: find }) : t('refusals.none')} />}
      {nodes.length > 0 && (
        <Accordion multiple variant="contained" defaultValue={nodes.length === 1 ? [nodes[0]!.node] : []}>
          {nodes.map((node) => (
            <Accordion.Item key={node.node} value={node.node}>
              <Accordion.Control>
                <Group gap="xs" mb={2}>
                  <Text fw={500} size="sm">{node.node}</Text>
                  <Text size="xs" c="dimmed">{t('refusals.cards', { count: node.cards.length, formatted: units.count(node.cards.length) })}</Text>
                </Group>
                <Text size="sm" lang="en">{node.message}</Text>
              </Accordion.Control>
              <Accordion.Panel><Cards node={node} /></Accordion.Panel>
            </Accordion.Item>
          ))}
        </Accordion>
      )}
      {question.hasNextPage && <Button variant="default" size="xs" loading={question.isFetchingNextPage} onClick={() => void question.fetchNextPage()}>{t('refusals.more')}</Button>}
    </Stack>
  )
}

type Card = Refusal['cards'][number]

const values = {
  card: (card: Card) => card.index,
  reason: (card: Card) => card.reason,
  freeMemory: (card: Card) => card.freeMemoryMiB,
  freeCores: (card: Card) => card.freeCores,
  freeSlots: (card: Card) => card.freeSlots,
} satisfies Record<string, (card: Card) => Value>

function Cards({ node }: { node: Refusal }) {
  const { t } = useTranslation('placing')
  const { rows, order } = useSorted(node.cards, values, 'card')
  const counts = Object.values(
    node.cards.reduce<Record<string, { reason: string; cards: number }>>((sums, card) => ({ ...sums, [card.reason]: { reason: card.reason, cards: (sums[card.reason]?.cards ?? 0) + 1 } }), {}),
  )
  return (
    <Stack gap="xs">
      <Group gap={4}><Reasons reasons={counts} /></Group>
      <Table.ScrollContainer minWidth={700} type="native">
        <Table verticalSpacing={4} aria-label={t('refusals.cardsOf', { node: node.node })}>
          <Table.Thead>
            <Table.Tr>
              <Heading title={t('column.card')} sort="card" order={order} />
              <Heading title={t('column.reason')} sort="reason" order={order} />
              <Heading title={t('column.freeMemory')} sort="freeMemory" order={order} align="right" />
              <Heading title={t('column.freeCores')} sort="freeCores" order={order} align="right" />
              <Heading title={t('column.freeSlots')} sort="freeSlots" order={order} align="right" />
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {rows.map((card) => (
              <Table.Tr key={card.uuid}>
                <Table.Td style={{ verticalAlign: 'top' }}>
                  <Anchor component={Link} to={`/devices/${encodeURIComponent(card.uuid)}`} size="sm">{card.index} · {card.type}</Anchor>
                  <Text size="xs" c="dimmed" ff="monospace">{card.uuid}</Text>
                </Table.Td>
                <Table.Td style={{ verticalAlign: 'top' }}>
                  <Reason reason={card.reason} />
                  <Text size="sm" lang="en">{card.why}</Text>
                </Table.Td>
                <Table.Td ta="right" style={{ whiteSpace: 'nowrap', verticalAlign: 'top' }}>{units.memory(card.freeMemoryMiB)}</Table.Td>
                <Table.Td ta="right" style={{ verticalAlign: 'top' }}>{units.percent(card.freeCores)}</Table.Td>
                <Table.Td ta="right" style={{ verticalAlign: 'top' }}>{units.count(card.freeSlots)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Stack>
  )
}

function FindBox() {
  const { t } = useTranslation('placing')
  const [text, find] = useUrl('find')
  const [typed, type] = useState(text ?? '')
  const settle = useDebouncedCallback((next: string) => find(next || undefined), 250)
  useEffect(() => type(text ?? ''), [text])
  return (
    <TextInput
      size="xs"
      w={240}
      type="search"
      aria-label={t('refusals.search')}
      placeholder={t('refusals.search')}
      leftSection={<Search size={14} aria-hidden />}
      value={typed}
      onChange={(e) => {
        type(e.currentTarget.value)
        settle(e.currentTarget.value)
      }}
    />
  )
}
