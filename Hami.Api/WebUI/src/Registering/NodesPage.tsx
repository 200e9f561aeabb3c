import { Button, Text } from '@mantine/core'
import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { KindsDocument, NodesDocument, FullestNodesDocument, type NodesQuery, type NodeSort } from '../Plumbing/asked'
import { Choice } from '../Plumbing/list/Choice'
import type { Column } from '../Plumbing/list/columns'
import { DataList } from '../Plumbing/list/DataList'
import { useOrder } from '../Plumbing/list/order'
import { Meter } from '../Plumbing/Meter'
import { useMoment } from '../Plumbing/moment'
import { PageLink } from '../Plumbing/PageLink'
import { measured, useList, useQuestion } from '../Plumbing/question'
import { Empty } from '../Plumbing/states'
import * as units from '../Plumbing/units'
import { useUrl } from '../Plumbing/url'
import { ChartedList } from './Charts'
import { useFilters } from './filters'
import { flag } from './flag'
import { Heads } from './Heads'
import { NodeStatus } from './status'

type Row = NonNullable<NodesQuery['nodes']['items'][number]>

/** Filters by what the API server says of nodes now, and what each stands for in the address. */
const statuses = {
  ready: { ready: 'true' },
  notReady: { ready: 'false' },
  schedulable: { schedulable: 'true' },
  cordoned: { schedulable: 'false' },
  unhealthyCards: { healthy: 'false' },
} as const

export default function NodesPage() {
  const { t } = useTranslation('registering')
  return <ChartedList name="nodes" title={t('nodes')} charts={<Charts />} list={<List />} />
}

function Charts() {
  const { t } = useTranslation('registering')
  return (
    <Heads
      kind="vendor"
      kindsOf={(cluster) => ({ all: cluster.nodes, parts: cluster.vendors.map((of) => ({ name: of.vendor, value: of.nodes })) })}
      document={FullestNodesDocument}
      named={({ name }: { name: string }) => ({ name, node: name })}
      titles={{ kinds: t('vendors'), hint: t('vendors_hint'), compute: t('top.nodeCompute'), memory: t('top.nodeMemory') }}
    />
  )
}

function List() {
  const { t } = useTranslation('registering')
  const { at, isNow } = useMoment()
  const order = useOrder<NodeSort>('NAME')
  const [search] = useUrl('q')
  const filters = useFilters(['type', 'vendor', 'used'], statuses, ['ready', 'schedulable', 'healthy'])
  const { type, vendor, used, ready, schedulable, healthy } = filters.values
  const kinds = useQuestion(KindsDocument, { at })
  const nodes = useList(
    NodesDocument,
    {
      at,
      // What is said of nodes now says nothing of another moment.
      filter: { search, type, vendor, used: flag(used), healthy: flag(healthy), ...(isNow ? { ready: flag(ready), schedulable: flag(schedulable) } : {}) },
      sort: order.sort,
      descending: order.descending,
    },
    (result) => result.nodes,
    { every: measured },
  )
  const columns = useColumns()
  return (
    <DataList
      name="nodes"
      label={t('nodeList')}
      columns={columns}
      question={nodes}
      rowKey={(node) => node.name}
      order={order}
      filters={
        <>
          <Choice
            label={t('filter.status')}
            value={filters.status}
            options={filters.names.filter((name) => isNow || name === 'unhealthyCards').map((name) => ({ value: name, label: t(`status.${name}`) }))}
            onChange={filters.choose}
          />
          <Choice
            label={t('filter.type')}
            value={type}
            options={[...new Set((kinds.data?.cluster.types ?? []).filter((of) => !vendor || of.vendor === vendor).map((of) => of.type))]}
            onChange={filters.set('type')}
            width={150}
          />
          <Choice label={t('filter.vendor')} value={vendor} options={(kinds.data?.cluster.vendors ?? []).map((of) => of.vendor)} onChange={filters.set('vendor')} />
          <Choice label={t('filter.use')} value={used} options={[{ value: 'true', label: t('filter.used') }, { value: 'false', label: t('filter.unused') }]} onChange={filters.set('used')} />
        </>
      }
      empty={
        filters.isFiltered
          ? <Empty title={t('empty.nodesFiltered')} action={<Button size="xs" mt="xs" variant="default" onClick={filters.clear}>{t('filter.clear')}</Button>} />
          : <Empty title={t('empty.nodes')} hint={t('empty.nodesHint')} />
      }
    />
  )
}

function useColumns(): Column<Row>[] {
  const { t } = useTranslation('registering')
  return useMemo<Column<Row>[]>(
    () => [
      { key: 'name', title: t('column.name'), sort: 'NAME', width: 150, cell: (node) => <PageLink to="/nodes/$node" params={{ node: node.name }} size="sm" data-testid="node-link" data-value={node.name}>{node.name}</PageLink> },
      { key: 'status', title: t('status.title'), sort: 'STATUS', width: 180, cell: (node) => <NodeStatus facts={node.facts} healthy={node.healthyDevices} all={node.devices.length} /> },
      { key: 'address', title: t('column.address'), sort: 'ADDRESS', width: 110, cell: (node) => node.facts?.address || units.unknown },
      { key: 'compute', title: t('column.compute'), sort: 'USED_CORES_PERCENT', width: 150, cell: (node) => <div data-testid="node-cores-used" data-value={node.usedCores}><Meter label={t('column.compute')} part={node.usedCores} whole={node.cores} text={units.cardsOf(node.usedCores, node.cores)} /></div> },
      { key: 'memory', title: t('column.memory'), sort: 'USED_MEMORY_PERCENT', width: 170, cell: (node) => <div data-testid="node-memory-used" data-value={node.usedMemoryMiB}><Meter label={t('column.memory')} part={node.usedMemoryMiB} whole={node.memoryMiB} text={units.memoryOf(node.usedMemoryMiB, node.memoryMiB)} /></div> },
      { key: 'busy', title: t('column.busy'), sort: 'BUSY', width: 130, cell: (node) => <Meter label={t('column.busy')} part={node.usage?.busy} whole={100} /> },
      { key: 'inUse', title: t('column.inUse'), sort: 'MEMORY_IN_USE', width: 170, cell: (node) => <Meter label={t('column.inUse')} part={node.usage?.memoryUsedMiB} whole={node.usage?.memoryTotalMiB} text={node.usage ? units.memoryOf(node.usage.memoryUsedMiB, node.usage.memoryTotalMiB) : ''} /> },
      { key: 'slots', title: t('column.slots'), sort: 'USED_SLOTS', width: 90, align: 'right', cell: (node) => <span data-testid="node-slots-used" data-value={node.usedSlots}>{units.count(node.usedSlots)} / {units.count(node.slots)}</span> },
      { key: 'pods', title: t('column.pods'), sort: 'PODS', width: 80, align: 'right', cell: (node) => <span data-testid="node-pods" data-value={node.pods}>{units.count(node.pods)}</span> },
      { key: 'cards', title: t('column.cards'), sort: 'DEVICES', width: 80, align: 'right', cell: (node) => <span data-testid="node-devices" data-value={node.devices.length}>{units.count(node.devices.length)}</span> },
      { key: 'model', title: t('column.model'), sort: 'TYPE', width: 170, cell: (node) => (node.types.length === 0 ? units.unknown : node.types.map((type) => <Text key={type} size="sm">{type}</Text>)) },
      { key: 'cores', title: t('column.cores'), sort: 'CORES', isExtra: true, align: 'right', cell: (node) => units.cards(node.cores) },
      { key: 'memoryTotal', title: t('column.memoryTotal'), sort: 'MEMORY', isExtra: true, align: 'right', cell: (node) => units.memory(node.memoryMiB) },
      { key: 'vendor', title: t('column.vendor'), sort: 'VENDOR', isExtra: true, cell: (node) => node.vendor || units.unknown },
      { key: 'os', title: t('column.os'), sort: 'OS_IMAGE', isExtra: true, width: 160, cell: (node) => node.facts?.osImage || units.unknown },
      { key: 'architecture', title: t('column.architecture'), sort: 'ARCHITECTURE', isExtra: true, cell: (node) => node.facts?.architecture || units.unknown },
      { key: 'kernel', title: t('column.kernel'), sort: 'KERNEL_VERSION', isExtra: true, cell: (node) => node.facts?.kernelVersion || units.unknown },
      { key: 'kubelet', title: t('column.kubelet'), sort: 'KUBELET_VERSION', isExtra: true, cell: (node) => node.facts?.kubeletVersion || units.unknown },
      { key: 'runtime', title: t('column.runtime'), sort: 'CONTAINER_RUNTIME_VERSION', isExtra: true, cell: (node) => node.facts?.containerRuntimeVersion || units.unknown },
      { key: 'cpu', title: t('column.cpu'), sort: 'CPU', isExtra: true, align: 'right', cell: (node) => units.cpus(node.facts?.cpuMilli) },
      { key: 'hostMemory', title: t('column.hostMemory'), sort: 'HOST_MEMORY', isExtra: true, align: 'right', cell: (node) => units.memory(node.facts?.hostMemoryMiB) },
      { key: 'created', title: t('column.created'), sort: 'CREATED_AT', isExtra: true, width: 180, cell: (node) => units.moment(node.facts?.createdAt) },
    ],
    [t],
  )
}
