import { Anchor, SimpleGrid } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import type { ClusterQuery } from '../../Plumbing/asked'
import { Panel } from '../../Plumbing/Page'
import { Failed } from '../../Plumbing/states'
import * as units from '../../Plumbing/units'
import { Gauge } from './Gauge'
import { useUse } from './use'

/** What is allocated of all cards, and what is used of them. */
export function Gauges({ cluster }: { cluster: ClusterQuery['cluster'] }) {
  const { t } = useTranslation('observing')
  const { use, error } = useUse()
  // Of a past moment it is not known what the hardware had; what was registered is the same when every card told.
  const total = use.memoryTotalMiB ?? (use.devices != null && use.devices >= cluster.devices ? cluster.memoryMiB : null)
  const told = use.devices == null ? t('overview.notTold') : use.devices < cluster.devices ? t('overview.someTold', { some: units.count(use.devices), all: units.count(cluster.devices) }) : undefined
  return (
    <Panel title={t('overview.gauges')} actions={<Anchor component={Link} to="/devices" size="sm">{t('overview.allDevices')}</Anchor>}>
      {error ? <Failed error={error} /> : null}
      <SimpleGrid cols={{ base: 2, md: 3, lg: 5 }} spacing="lg">
        <Gauge id="slots" label={t('overview.slots')} part={cluster.usedSlots} whole={cluster.slots} text={`${units.count(cluster.usedSlots)} / ${units.count(cluster.slots)}`} />
        <Gauge id="cores" label={t('overview.coresAllocated')} part={cluster.usedCores} whole={cluster.cores} text={t('overview.cards', { cards: units.cardsOf(cluster.usedCores, cluster.cores) })} />
        <Gauge id="memory" label={t('overview.memoryAllocated')} part={cluster.usedMemoryMiB} whole={cluster.memoryMiB} text={units.memoryOf(cluster.usedMemoryMiB, cluster.memoryMiB)} />
        <Gauge id="busy" label={t('overview.coresUsed')} part={use.busy} whole={100} percent={use.busy} text={told ?? t('overview.averageOf', { count: use.devices ?? 0, formatted: units.count(use.devices) })} />
        <Gauge id="memory-used" label={t('overview.memoryUsed')} part={use.memoryUsedMiB} whole={total} text={units.memoryOf(use.memoryUsedMiB, total)} hint={told} />
      </SimpleGrid>
    </Panel>
  )
}
