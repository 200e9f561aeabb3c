import { Badge, Button, Code, Drawer, Group, ScrollArea, SimpleGrid, Stack, Text } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { History } from 'lucide-react'
import { useTranslation } from 'react-i18next'
import { EventDocument, PodOfAllocationDocument, type EventsQuery } from '../Plumbing/asked'
import { Fact } from '../Plumbing/Page'
import { useQuestion } from '../Plumbing/question'
import { Answered, Empty } from '../Plumbing/states'
import * as units from '../Plumbing/units'
import { useSetUrl, useUrl } from '../Plumbing/url'
import { colourOf } from './Events'
import { concerned, sentence, withPods, type EventType, type Names } from './happened'
import { DeviceLink, NodeLink, PodLink } from './links'
import { momentOf } from './window'

type Row = NonNullable<EventsQuery['events']['items'][number]>

/** One event as it was stored, with the way to its moment, its pod and its node; which one stands in the address. */
export function EventDrawer({ rows, names }: { rows: Row[]; names: Names }) {
  const { t } = useTranslation('replaying')
  const [chosen, choose] = useUrl('event')
  const position = chosen && /^\d+$/.test(chosen) ? Number(chosen) : undefined
  const listed = rows.find((row) => row.position === position)
  const question = useQuestion(EventDocument, { behind: (position ?? 1) - 1 }, { enabled: position !== undefined && !listed })
  const answered = listed ? { ...question, data: [listed], error: null } : { ...question, data: question.data?.events.items.filter((row) => row?.position === position) }
  return (
    <Drawer opened={position !== undefined} onClose={() => choose(undefined)} position="right" size="lg" title={<Text fw={600}>{t('event.title', { position: chosen })}</Text>} closeButtonProps={{ 'aria-label': t('event.close') }}>
      {position !== undefined && (
        <Answered question={answered}>
          {([row]) => (row ? <OneEvent row={row} names={names} /> : <Empty title={t('event.gone')} />)}
        </Answered>
      )}
    </Drawer>
  )
}

function OneEvent({ row, names }: { row: Row; names: Names }) {
  const { t } = useTranslation('replaying')
  const set = useSetUrl()
  const isNamed = !row.allocationId || names.has(row.allocationId)
  const pod = useQuestion(PodOfAllocationDocument, { id: row.allocationId ?? '' }, { enabled: !isNamed }).data?.allocations.items[0]
  const known = !isNamed && pod ? withPods(names, [pod]) : names
  const whom = concerned(row, known)
  return (
    <Stack gap="md" data-testid="event">
      <Stack gap={6}>
        <Badge variant="light" color={colourOf(row.type)} tt="none">{t(`types.${row.type as EventType}`, { defaultValue: row.type })}</Badge>
        <Text style={{ overflowWrap: 'anywhere' }}>{sentence(t, row, known)}</Text>
      </Stack>
      <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
        <Fact label={t('event.at')}>{units.moment(row.at)}</Fact>
        <Fact label={t('events.stream')}><Code>{row.stream}</Code></Fact>
        <Fact label={t('event.version')}>{units.count(row.version)}</Fact>
        {whom.podUid && <Fact label={t('event.pod')}><PodLink podUid={whom.podUid} name={whom.pod} /></Fact>}
        {whom.node && <Fact label={t('event.node')}><NodeLink node={whom.node} /></Fact>}
        {whom.device && <Fact label={t('event.device')}><DeviceLink uuid={whom.device} /></Fact>}
        {whom.by && <Fact label={t('event.by')}>{whom.by}</Fact>}
        {row.allocationId && <Fact label={t('event.allocation')}><Code>{row.allocationId}</Code></Fact>}
      </SimpleGrid>
      <Group gap="xs">
        <Button component={Link} to="/" search={{ at: new Date(momentOf(row.at)).toISOString() } as never} leftSection={<History size={16} aria-hidden />} size="sm" data-testid="event-show-then">{t('event.showThen')}</Button>
        {whom.podUid && <Button size="sm" variant="default" onClick={() => set({ pod: whom.podUid, event: undefined })}>{t('event.all')}</Button>}
      </Group>
      <div>
        <Text size="xs" c="dimmed" mb={4}>{t('event.body')} · <Code>{row.type}</Code></Text>
        <ScrollArea.Autosize mah="50dvh" type="auto" viewportProps={{ tabIndex: 0, role: 'region', 'aria-label': t('event.body') }}>
          <Code block data-testid="event-body">{formatted(row.body)}</Code>
        </ScrollArea.Autosize>
      </div>
    </Stack>
  )
}

function formatted(body: string): string {
  try {
    return JSON.stringify(JSON.parse(body), null, 2)
  } catch {
    return body
  }
}
