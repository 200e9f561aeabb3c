import { Anchor, SimpleGrid, Skeleton, Stack } from '@mantine/core'
import { Link, useParams } from '@tanstack/react-router'
import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { useYou } from '../Access/Gate'
import { NodeRefusals } from '../Placing/NodeRefusals'
import { WhatWouldFit, WhyItWaits } from '../Placing/Waiting'
import { WorkloadCardsDocument, WorkloadDocument, WorkloadEventsDocument, WorkloadStoryDocument, type WorkloadEventsQuery, type WorkloadQuery, type WorkloadStoryQuery } from '../Plumbing/asked'
import { useMoment } from '../Plumbing/moment'
import { Fact, Page, Panel } from '../Plumbing/Page'
import { measured, useQuestion } from '../Plumbing/question'
import { Empty, Failed } from '../Plumbing/states'
import * as units from '../Plumbing/units'
import { AskedAndGot } from './workload/AskedAndGot'
import { Containers } from './workload/Containers'
import { Facts } from './workload/Facts'
import { Happenings } from './workload/Happenings'
import { Kin } from './workload/Kin'
import { RawEvents } from './workload/RawEvents'
import { timelineOf } from './workload/timeline'
import { Use } from './workload/Use'
import { StatusBadge } from './workloads/StatusBadge'

type Allocation = NonNullable<WorkloadQuery['allocations']['items'][number]>
type Pending = NonNullable<WorkloadQuery['pendingPods']['items'][number]>
type Story = NonNullable<WorkloadStoryQuery['explain']>
type Events = WorkloadEventsQuery['events']

/** One pod: what it asked, got and does, and everything that happened to it. */
export default function WorkloadPage() {
  const { podUid = '' } = useParams({ strict: false })
  // Of another pod nothing is kept while it is awaited.
  return <Workload key={podUid} podUid={podUid} />
}

function Workload({ podUid }: { podUid: string }) {
  const { t } = useTranslation('observing')
  const { at } = useMoment()
  const pod = useQuestion(WorkloadDocument, { podUid, at })
  const told = useQuestion(WorkloadStoryDocument, { pod: podUid, at })
  const log = useQuestion(WorkloadEventsDocument, { podUid, to: at })
  const above = [{ title: t('workloads.title'), to: '/workloads' }]
  const allocations = pod.data?.allocations.items.filter((allocation) => allocation !== null) ?? []
  const pending = pod.data?.pendingPods.items[0] ?? undefined
  const story = told.data?.explain ?? undefined
  const named = allocations[0] ?? pending ?? story
  if (!named) {
    const error = pod.error ?? told.error
    return (
      <Page title={t('workload.title')} above={above}>
        {error ? <Failed error={error} again={() => { void pod.refetch(); void told.refetch() }} />
        : pod.isPending || told.isPending ? <Skeleton height={320} />
        : <Empty title={t('workload.unknown')} hint={t(at ? 'workload.unknownThen' : 'workload.unknownHint')} action={<Anchor component={Link} to="/workloads" size="sm" mt="xs">{t('workload.toList')}</Anchor>} />}
      </Page>
    )
  }
  return (
    <Known
      podUid={podUid}
      name={named}
      allocations={allocations}
      pending={pending}
      story={story}
      failed={told.error}
      events={log.data?.events}
      isTold={!log.isPending}
      above={above}
    />
  )
}

function Known({ podUid, name, allocations, pending, story, failed, events, isTold, above }: {
  podUid: string
  name: { namespace: string; pod: string }
  /** The latest first. */
  allocations: Allocation[]
  pending: Pending | undefined
  story: Story | undefined
  failed: unknown
  events: Events | undefined
  /** Whether it is known what the events are. */
  isTold: boolean
  above: { title: string; to: string }[]
}) {
  const { t } = useTranslation('observing')
  const you = useYou()
  const { at, isNow } = useMoment()
  const allocation = allocations[0]
  const isHeld = !!allocation && !allocation.releasedAt
  const live = allocation?.live ?? pending?.live
  const ask = story?.ask
  const owner = allocation?.ownerName ? { kind: allocation.ownerKind ?? '', name: allocation.ownerName } : (ask?.owner ?? null)
  const cards = useQuestion(WorkloadCardsDocument, { node: allocation?.node ?? '', at }, { enabled: !!allocation && you.nodes, every: isHeld ? measured : undefined })
  const node = cards.data?.nodes.items[0] ?? undefined
  const happenings = useMemo(() => {
    const types = new Map(events?.items.map((event) => [event?.position, event?.type]))
    return timelineOf(story?.steps ?? [], (position) => types.get(position), live?.createdAt)
  }, [story, events, live?.createdAt])
  const isWaiting = !!pending && !isHeld
  return (
    <Page title={`${name.namespace}/${name.pod}`} above={above} badge={<Standing allocation={allocation} pending={pending} story={story} />}>
      {isWaiting && (
        <Panel title={t('workload.waiting')}>
          <Stack>
            <WhyItWaits pod={pending} />
            <WhatWouldFit podUid={podUid} />
            <NodeRefusals podUid={podUid} size={10} />
          </Stack>
        </Panel>
      )}
      <Facts podUid={podUid} namespace={name.namespace} owner={owner} allocation={allocation} live={live} ask={ask} />
      {allocation && <Use held={allocation} now={isNow && isHeld ? node?.allocations.find((held) => held.id === allocation.id)?.usage : undefined} />}
      <AskedAndGot ask={ask} allocation={allocation} node={node} />
      {live && live.containers.length > 0 && <Containers live={live} />}
      <Panel title={t('workload.timeline')}>
        <Stack>
          {failed ? <Failed error={failed} /> : null}
          {allocation && <Durations allocation={allocation} createdAt={live?.createdAt} />}
          {isTold && story ? <Happenings happenings={happenings} whyThere={story.whyThere} allocations={allocations} /> : !failed && <Skeleton height={160} />}
          {events && events.items.length > 0 && <RawEvents events={events} />}
        </Stack>
      </Panel>
      <Kin podUid={podUid} namespace={name.namespace} pod={name.pod} owner={owner} />
    </Page>
  )
}

/** Where the pod stands: the word of kubectl where the API server has the pod. */
function Standing({ allocation, pending, story }: { allocation: Allocation | undefined; pending: Pending | undefined; story: Story | undefined }) {
  if (allocation && !(allocation.releasedAt && pending)) return <StatusBadge of={allocation} size="lg" />
  if (pending) return <StatusBadge of={{ live: pending.live ?? { phase: 'Pending', ready: false } }} size="lg" />
  return story?.standing === 'WITHDRAWN' ? <StatusBadge of={{ releaseReason: 'DELETED' }} size="lg" /> : null
}

/** How long the steps of the latest allocation took. */
function Durations({ allocation, createdAt }: { allocation: Allocation; createdAt: string | null | undefined }) {
  const { t } = useTranslation('observing')
  const between = (from: string | null | undefined, to: string | null | undefined) => (from && to ? units.since(from, to) : units.unknown)
  return (
    <SimpleGrid cols={{ base: 2, sm: 4 }}>
      <Fact label={t('workload.took.waiting')}>{allocation.waitingSince ? between(allocation.waitingSince, allocation.placedAt) : createdAt ? between(createdAt, allocation.placedAt) : t('workloads.atOnce')}</Fact>
      <Fact label={t('workload.took.binding')}>{between(allocation.placedAt, allocation.boundAt)}</Fact>
      <Fact label={t('workload.took.attaching')}>{between(allocation.boundAt, allocation.attachedAt)}</Fact>
      <Fact label={t('workload.took.held')}>{between(allocation.placedAt, allocation.releasedAt)}</Fact>
    </SimpleGrid>
  )
}
