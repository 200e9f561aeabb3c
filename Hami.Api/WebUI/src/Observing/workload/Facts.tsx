import { ActionIcon, Anchor, Code, CopyButton, Group, SimpleGrid, Text, Tooltip } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { Check, Copy } from 'lucide-react'
import { useTranslation } from 'react-i18next'
import type { PodNowFragment, WorkloadQuery, WorkloadStoryQuery } from '../../Plumbing/asked'
import { useMoment } from '../../Plumbing/moment'
import { Fact, Panel } from '../../Plumbing/Page'
import * as units from '../../Plumbing/units'
import { CardLink } from '../workloads/CardLink'
import { NodeLink } from '../workloads/NodeLink'
import { ownerText } from '../workloads/owner'

type Allocation = NonNullable<WorkloadQuery['allocations']['items'][number]>
type Ask = NonNullable<NonNullable<WorkloadStoryQuery['explain']>['ask']>

/** What is known of a pod beside what it holds. */
export function Facts({ podUid, namespace, owner, allocation, live, ask }: {
  podUid: string
  namespace: string
  owner: { kind: string; name: string } | null
  allocation: Allocation | undefined
  live: PodNowFragment | null | undefined
  ask: Ask | null | undefined
}) {
  const { t } = useTranslation('observing')
  const { at } = useMoment()
  const cards = [...new Set(allocation?.shares.map((share) => share.deviceUuid))]
  const wishes = ask ? wishesOf(ask) : []
  return (
    <Panel title={t('workload.facts')}>
      <SimpleGrid cols={{ base: 1, xs: 2, lg: 3, xl: 4 }} spacing="md" verticalSpacing="sm">
        <Fact label={t('workloads.column.namespace')}><Anchor component={Link} to="/workloads" search={{ namespace } as never} size="sm">{namespace}</Anchor></Fact>
        <Fact label={t('workloads.column.owner')}>
          {owner ? <Anchor component={Link} to="/workloads" search={{ show: 'all', namespace, owner: ownerText(owner.kind, owner.name) } as never} size="sm">{ownerText(owner.kind, owner.name)}</Anchor> : units.unknown}
        </Fact>
        {allocation && (
          <>
            <Fact label={t('workloads.column.node')}><NodeLink node={allocation.node} /></Fact>
            <Fact label={t('workloads.column.cards')}>
              {units.count(allocation.devices)}{allocation.types.length > 0 && ` × ${allocation.types.join(', ')}`}
              {cards.map((uuid) => <div key={uuid}><CardLink uuid={uuid} /></div>)}
            </Fact>
            <Fact label={t('workloads.column.memory')}><span data-testid="workload-memory" data-value={allocation.memoryMiB}>{units.memory(allocation.memoryMiB)}</span></Fact>
            <Fact label={t('workloads.column.compute')}>
              <span data-testid="workload-cores" data-value={allocation.cores}>{t('workloads.cards', { count: allocation.cores / 100, formatted: units.cards(allocation.cores) })}</span>
            </Fact>
            <Fact label={t('workloads.column.placedAt')}>{units.moment(allocation.placedAt)}</Fact>
            <Fact label={t('workloads.column.held')}>{units.since(allocation.placedAt, allocation.releasedAt ?? at ?? new Date())}</Fact>
          </>
        )}
        <Fact label={t('workload.created')}>{units.moment(live?.createdAt)}</Fact>
        <Fact label={t('workload.started')}>{units.moment(live?.startedAt)}</Fact>
        <Fact label={t('workload.priority')}>{live ? `${units.count(live.priority)}${live.priorityClass ? ` (${live.priorityClass})` : ''}` : units.unknown}</Fact>
        <Fact label={t('workload.policy')}>{ask ? `${ask.nodes.toLowerCase()} / ${ask.cards.word}` : units.unknown}</Fact>
        {ask?.group && <Fact label={t('workload.group')}>{ask.group}</Fact>}
        {ask?.weights && <Fact label={t('workload.weights')}>{t('workload.weightsAre', ask.weights)}</Fact>}
        {ask?.host && (ask.host.cpuMilli > 0 || ask.host.memoryMiB > 0) && <Fact label={t('workload.host')}>{t('workload.hostAsks', { cpus: units.cpus(ask.host.cpuMilli), memory: units.memory(ask.host.memoryMiB) })}</Fact>}
        {allocation?.adoptedFrom && <Fact label={t('workload.adopted')}>{allocation.adoptedFrom}</Fact>}
        {wishes.map((wish) => <Fact key={wish.word} label={t(`workload.wish.${wish.word}`)}>{wish.what ? wish.what.map((each) => <Code key={each} mr={4}>{each}</Code>) : t('workload.wish.yes')}</Fact>)}
        <Fact label="UID">
          <Group gap={4} wrap="nowrap">
            <Text size="xs" ff="monospace">{podUid}</Text>
            <CopyButton value={podUid}>
              {({ copied, copy }) => (
                <Tooltip label={t(copied ? 'workload.copied' : 'workload.copy')}>
                  <ActionIcon size="xs" variant="subtle" color="gray" aria-label={t('workload.copy')} onClick={copy}>{copied ? <Check size={12} /> : <Copy size={12} />}</ActionIcon>
                </Tooltip>
              )}
            </CopyButton>
          </Group>
        </Fact>
      </SimpleGrid>
    </Panel>
  )
}

/** What the annotations want of cards; nothing where they want nothing. */
function wishesOf({ wish }: Ask) {
  const all = [
    { word: 'useTypes' as const, what: wish.useTypes },
    { word: 'avoidTypes' as const, what: wish.avoidTypes },
    { word: 'useUuids' as const, what: wish.useUuids },
    { word: 'avoidUuids' as const, what: wish.avoidUuids },
    { word: 'mode' as const, what: wish.mode ? [wish.mode] : [] },
  ]
  return [...all.filter(({ what }) => what.length > 0), ...(wish.oneNuma ? [{ word: 'oneNuma' as const, what: undefined }] : [])]
}
