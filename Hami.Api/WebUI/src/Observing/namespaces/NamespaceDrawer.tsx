import { Anchor, Drawer, Group, SimpleGrid, Skeleton, Stack, Text, Title } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { lazy, Suspense, useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { NamespaceAllocationTrendDocument, NamespaceUseTrendDocument, OneNamespaceDocument, type OneNamespaceQuery } from '../../Plumbing/asked'
import { TimeChart, type Line } from '../../Plumbing/charts'
import { useMoment } from '../../Plumbing/moment'
import { Fact } from '../../Plumbing/Page'
import { useQuestion } from '../../Plumbing/question'
import { useRange } from '../../Plumbing/range'
import { Answered, Empty, Failed } from '../../Plumbing/states'
import { together, wholeSteps } from '../../Plumbing/trends'
import * as units from '../../Plumbing/units'
import { Held } from './Held'

const RangePicker = lazy(() => import('../../Plumbing/RangePicker'))

type Quota = NonNullable<OneNamespaceQuery['quotas']['items'][number]>

/** One namespace beside the list: each of its quotas, and what it held and used over time. */
export function NamespaceDrawer({ namespace, close }: { namespace: string | undefined; close: () => void }) {
  const { t } = useTranslation('observing')
  return (
    <Drawer opened={!!namespace} onClose={close} position="right" size="xl" title={<Text fw={600} style={{ overflowWrap: 'anywhere' }}>{t('namespaces.one', { namespace })}</Text>} closeButtonProps={{ 'aria-label': t('namespaces.close') }}>
      {namespace && <Content namespace={namespace} />}
    </Drawer>
  )
}

function Content({ namespace }: { namespace: string }) {
  const { t } = useTranslation('observing')
  const { at } = useMoment()
  const question = useQuestion(OneNamespaceDocument, { at, namespace })
  return (
    <Stack>
      <Answered question={question} height={120}>
        {({ quotas, allocations, pendingPods }) => {
          const quota = quotas.items[0]
          return (
            <>
              <Group gap="md">
                <Anchor component={Link} to="/workloads" search={{ namespace } as never} size="sm">{t('namespaces.workloads', { count: allocations.totalCount, formatted: units.count(allocations.totalCount) })}</Anchor>
                <Anchor component={Link} to="/pending" search={{ namespace } as never} size="sm">{t('namespaces.waiting', { count: pendingPods.totalCount, formatted: units.count(pendingPods.totalCount) })}</Anchor>
                <Anchor component={Link} to="/usage" search={{ namespace, by: 'day,owner' } as never} size="sm">{t('namespaces.usage')}</Anchor>
              </Group>
              {quota ? <Quotas quota={quota} /> : <Empty title={t('namespaces.holdsNothing')} hint={t('namespaces.holdsNothingHint')} />}
            </>
          )
        }}
      </Answered>
      <Trend namespace={namespace} />
    </Stack>
  )
}

function Quotas({ quota }: { quota: Quota }) {
  const { t } = useTranslation('observing')
  return (
    <Stack gap="sm">
      <SimpleGrid cols={{ base: 2, sm: 4 }}>
        <Fact label={t('namespaces.memory')}><span data-testid="namespace-memory" data-value={quota.usedMemoryMiB}>{units.memory(quota.usedMemoryMiB)}</span></Fact>
        <Fact label={t('namespaces.cores')}><span data-testid="namespace-cores" data-value={quota.usedCores}>{units.cards(quota.usedCores)}</span></Fact>
        <Fact label={t('namespaces.roomMemory')}>{quota.roomMemoryMiB == null ? t('namespaces.noLimit') : units.memory(quota.roomMemoryMiB)}</Fact>
        <Fact label={t('namespaces.roomCores')}>{quota.roomCores == null ? t('namespaces.noLimit') : units.cards(quota.roomCores)}</Fact>
      </SimpleGrid>
      {quota.limits.length === 0 && <Text size="sm" c="dimmed">{t('namespaces.noQuota')}</Text>}
      {quota.limits.map((limit) => (
        <Stack key={limit.name} gap={4} data-testid={`namespace-quota-${limit.name}`}>
          <Title order={3} size="h6">{t('namespaces.quota', { name: limit.name })}</Title>
          <SimpleGrid cols={{ base: 1, xs: 2 }}>
            {limit.memoryMiB != null && <Fact label={t('namespaces.memory')}><Held of="memory" label={limit.name} part={quota.usedMemoryMiB} limit={limit.memoryMiB} /></Fact>}
            {limit.cores != null && <Fact label={t('namespaces.cores')}><Held of="cores" label={limit.name} part={quota.usedCores} limit={limit.cores} /></Fact>}
          </SimpleGrid>
        </Stack>
      ))}
    </Stack>
  )
}

function Trend({ namespace }: { namespace: string }) {
  const { t } = useTranslation('observing')
  const range = useRange()
  const { isNow } = useMoment()
  const time = { namespace, ...wholeSteps(range, isNow) }
  const held = useQuestion(NamespaceAllocationTrendDocument, time, { isDear: true })
  const used = useQuestion(NamespaceUseTrendDocument, time, { isDear: true })
  const points = useMemo(() => {
    const allocated = held.data?.allocationTrend.points
    const measured = used.data?.usageTrend.points
    return together(
      allocated?.map((p) => ({ at: p.at, memory: p.usedMemoryMiB, cores: p.usedCores })),
      measured?.map((p) => ({ at: p.at, inUse: p.memoryUsedMiB, busy: p.busy })),
    )
  }, [held.data, used.data])
  const lines = (heldKey: string, usedKey: string): Line[] => [
    { key: heldKey, label: t('overview.allocated'), colour: 'blue', isStepped: true },
    { key: usedKey, label: t('overview.used'), colour: 'orange' },
  ]
  const memory = useMemo(() => lines('memory', 'inUse'), [t])
  const compute = useMemo(() => lines('cores', 'busy'), [t])
  const now = used.data?.usageTrend.points.findLast((p) => p.memoryUsedMiB != null || p.busy != null)
  return (
    <Stack gap="sm" component="section" aria-label={t('namespaces.trend')}>
      <Title order={3} size="h6">{t('namespaces.trend')}</Title>
      <Suspense fallback={<Skeleton height={30} />}><RangePicker range={range} /></Suspense>
      <SimpleGrid cols={2}>
        <Fact label={t('namespaces.memoryInUse')}>{units.memory(now?.memoryUsedMiB)}</Fact>
        <Fact label={t('namespaces.coresInUse')}>{units.cards(now?.busy)}</Fact>
      </SimpleGrid>
      {used.error ? <Failed error={used.error} again={() => void used.refetch()} /> : null}
      <Answered question={held} height={420}>
        {() => (
          <>
            <Text size="sm" fw={500}>{t('overview.memory')}</Text>
            <TimeChart label={t('namespaces.memoryTrend', { namespace })} lines={memory} points={points} format={units.memory} height={150} onZoom={range.chooseOwn} />
            <Text size="sm" fw={500}>{t('namespaces.computeChart')}</Text>
            <TimeChart label={t('namespaces.coresTrend', { namespace })} lines={compute} points={points} format={units.cards} height={150} onZoom={range.chooseOwn} />
          </>
        )}
      </Answered>
    </Stack>
  )
}
