import { Anchor, Button, Collapse, Group, Progress, SegmentedControl, SimpleGrid, Stack, Text } from '@mantine/core'
import { useLocalStorage } from '@mantine/hooks'
import { Link } from '@tanstack/react-router'
import { ChevronDown, ChevronRight } from 'lucide-react'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useYou } from '../../Access/Gate'
import { WorkloadTopsDocument, type AllocationFilter, type WorkloadTopsQuery } from '../../Plumbing/asked'
import { useMoment } from '../../Plumbing/moment'
import { Panel } from '../../Plumbing/Page'
import { useQuestion } from '../../Plumbing/question'
import { Answered } from '../../Plumbing/states'
import * as units from '../../Plumbing/units'

interface Top {
  key: string
  name: string
  below?: string
  to: string
  value: number
}

// On a phone the list comes first.
const isWide = window.matchMedia('(min-width: 48em)').matches

const none = <T,>(rows: (T | null)[] | undefined): T[] => rows?.filter((row) => row !== null) ?? []

/** Where most pods are, and who holds most. */
export function Tops({ filter }: { filter: AllocationFilter }) {
  const { t } = useTranslation('observing')
  const you = useYou()
  const { at } = useMoment()
  const [isOpen, open] = useLocalStorage({ key: 'hami-workload-tops', defaultValue: isWide, getInitialValueInEffect: false })
  const question = useQuestion(WorkloadTopsDocument, { filter: { ...filter, live: true }, withNodes: you.nodes, at }, { enabled: isOpen })
  return (
    <Stack gap="xs">
      <Group>
        <Button variant="subtle" size="compact-sm" leftSection={isOpen ? <ChevronDown size={16} /> : <ChevronRight size={16} />} aria-expanded={isOpen} onClick={() => open(!isOpen)}>
          {t('workloads.tops.title')}
        </Button>
      </Group>
      <Collapse expanded={isOpen}>
        <Answered question={question} height={220}>
          {(data) => (
            <SimpleGrid cols={{ base: 1, md: you.nodes ? 2 : 1 }}>
              {you.nodes && <Where data={data} />}
              <Who data={data} />
            </SimpleGrid>
          )}
        </Answered>
      </Collapse>
    </Stack>
  )
}

function Where({ data }: { data: WorkloadTopsQuery }) {
  const { t } = useTranslation('observing')
  const [by, setBy] = useState<'node' | 'device'>('node')
  const tops: Top[] =
    by === 'node'
      ? none(data.nodes?.items).map((node) => ({ key: node.name, name: node.name, to: `/nodes/${encodeURIComponent(node.name)}`, value: node.pods }))
      : none(data.devices?.items).map((device) => ({ key: device.uuid, name: `${device.node} · ${device.index}`, below: device.type, to: `/devices/${encodeURIComponent(device.uuid)}`, value: device.usedSlots }))
  return (
    <Panel
      title={t('workloads.tops.where')}
      actions={<SegmentedControl size="xs" aria-label={t('workloads.tops.where')} value={by} onChange={(next) => setBy(next as 'node' | 'device')} data={[{ value: 'node', label: t('workloads.tops.byNode') }, { value: 'device', label: t('workloads.tops.byDevice') }]} />}
    >
      <Ranks tops={tops} format={(value) => t(by === 'node' ? 'workloads.tops.pods' : 'workloads.tops.containers', { count: value, formatted: units.count(value) })} />
    </Panel>
  )
}

function Who({ data }: { data: WorkloadTopsQuery }) {
  const { t } = useTranslation('observing')
  const [by, setBy] = useState<'cores' | 'memory' | 'devices'>('memory')
  const pod = (row: { id: string; podUid: string; namespace: string; pod: string }, value: number): Top => ({ key: row.id, name: row.pod, below: row.namespace, to: `/workloads/${row.podUid}`, value })
  const tops =
    by === 'cores' ? none(data.byCores.items).map((row) => pod(row, row.cores))
    : by === 'memory' ? none(data.byMemory.items).map((row) => pod(row, row.memoryMiB))
    : none(data.byDevices.items).map((row) => pod(row, row.devices))
  return (
    <Panel
      title={t('workloads.tops.who')}
      actions={
        <SegmentedControl
          size="xs"
          aria-label={t('workloads.tops.who')}
          value={by}
          onChange={(next) => setBy(next as typeof by)}
          data={[{ value: 'memory', label: t('workloads.column.memory') }, { value: 'cores', label: t('workloads.column.compute') }, { value: 'devices', label: t('workloads.column.cards') }]}
        />
      }
    >
      <Ranks
        tops={tops}
        format={(value) => {
          if (by === 'memory') return units.memory(value)
          const cards = by === 'cores' ? value / 100 : value
          return t('workloads.cards', { count: cards, formatted: by === 'cores' ? units.cards(value) : units.count(value) })
        }}
      />
    </Panel>
  )
}

function Ranks({ tops, format }: { tops: Top[]; format: (value: number) => string }) {
  const { t } = useTranslation('observing')
  const most = Math.max(...tops.map((top) => top.value))
  const shown = tops.filter((top) => top.value > 0)
  if (shown.length === 0) return <Text size="sm" c="dimmed">{t('workloads.tops.nothing')}</Text>
  return (
    <Stack gap={8} component="ol" m={0} p={0} style={{ listStyle: 'none' }}>
      {shown.map((top, i) => (
        <li key={top.key}>
          <Group justify="space-between" gap="xs" wrap="nowrap">
            <Group gap={6} wrap="nowrap" miw={0}>
              <Text c="dimmed" size="xs">{i + 1}</Text>
              <Anchor component={Link} to={top.to} size="sm" truncate>{top.name}</Anchor>
              {top.below && <Text size="xs" c="dimmed" truncate>{top.below}</Text>}
            </Group>
            <Text size="sm" fw={500} style={{ whiteSpace: 'nowrap' }}>{format(top.value)}</Text>
          </Group>
          <Progress size="sm" value={(top.value / most) * 100} aria-label={`${top.name}: ${format(top.value)}`} />
        </li>
      ))}
    </Stack>
  )
}
