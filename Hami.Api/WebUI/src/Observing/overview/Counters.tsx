import { Card, Group, SimpleGrid, Text } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { Boxes, CircleDashed, Cpu, MemoryStick, Microchip, Server, HardDrive, type LucideIcon } from 'lucide-react'
import { useTranslation } from 'react-i18next'
import type { ClusterQuery } from '../../Plumbing/asked'
import * as units from '../../Plumbing/units'
import classes from './Counters.module.css'

/** How much there is of everything, each the way to its list. */
export function Counters({ cluster }: { cluster: ClusterQuery['cluster'] }) {
  const { t } = useTranslation('observing')
  return (
    <SimpleGrid cols={{ base: 2, xs: 3, md: 4, lg: 7 }} spacing="sm">
      <Counter id="nodes" icon={Server} label={t('overview.nodes')} value={cluster.nodes} text={units.count(cluster.nodes)} to="/nodes" />
      <Counter id="devices" icon={Microchip} label={t('overview.devices')} value={cluster.devices} text={units.count(cluster.devices)} more={t('overview.inUse', { formatted: units.count(cluster.usedDevices) })} to="/devices" />
      <Counter id="pods" icon={Boxes} label={t('overview.workloads')} value={cluster.pods} text={units.count(cluster.pods)} more={t('overview.containers', { count: cluster.containers, formatted: units.count(cluster.containers) })} to="/workloads" />
      <Counter id="waiting" icon={CircleDashed} label={t('overview.waiting')} value={cluster.waiting} text={units.count(cluster.waiting)} to="/pending" />
      <Counter id="device-memory" icon={MemoryStick} label={t('overview.deviceMemory')} value={cluster.memoryMiB} text={units.memory(cluster.memoryMiB)} to="/devices" />
      <Counter id="cpu" icon={Cpu} label={t('overview.cpu')} value={cluster.cpuMilli} text={units.cpus(cluster.cpuMilli)} to="/nodes" />
      <Counter id="host-memory" icon={HardDrive} label={t('overview.hostMemory')} value={cluster.hostMemoryMiB} text={units.memory(cluster.hostMemoryMiB)} to="/nodes" />
    </SimpleGrid>
  )
}

function Counter({ id, icon: Icon, label, value, text, more, to }: {
  id: string
  icon: LucideIcon
  label: string
  value: number | null | undefined
  text: string
  more?: string
  to: string
}) {
  return (
    <Card withBorder padding="sm" radius="md" component={Link} to={to} className={classes.counter}>
      <Group gap={6} wrap="nowrap" align="flex-start">
        <Icon size={16} aria-hidden style={{ flexShrink: 0, marginTop: 2 }} opacity={0.7} />
        <Text size="sm" c="dimmed" lh={1.3}>{label}</Text>
      </Group>
      <Text fz={20} fw={600} mt="auto" style={{ fontVariantNumeric: 'tabular-nums', whiteSpace: 'nowrap' }} data-testid={`overview-${id}`} data-value={value ?? ''}>{text}</Text>
      <Text size="xs" c="dimmed">{more ?? '\u00a0'}</Text>
    </Card>
  )
}
