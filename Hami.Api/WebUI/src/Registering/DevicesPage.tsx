import { Button, Text } from '@mantine/core'
import { useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { DevicesDocument, KindsDocument, NodesToChooseDocument, TopDevicesDocument, TypesOfNodeDocument, type CardNameFragment, type DevicesQuery, type DeviceSort } from '../Plumbing/asked'
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
import { DeviceStatus } from './status'
import { DeviceLink } from './Uuid'

type Row = NonNullable<DevicesQuery['devices']['items'][number]>

const modes = ['hami-core', 'mig', 'mps']

const statuses = { healthy: { healthy: 'true' }, unhealthy: { healthy: 'false' }, cordonedDevice: { cordoned: 'true' } } as const

export default function DevicesPage() {
  const { t } = useTranslation('registering')
  return <ChartedList name="devices" title={t('devices')} charts={<Charts />} list={<List />} />
}

function Charts() {
  const { t } = useTranslation('registering')
  return (
    <Heads
      kind="type"
      kindsOf={(cluster) => ({ all: cluster.devices, parts: cluster.types.map((of) => ({ name: of.type, value: of.devices })) })}
      document={TopDevicesDocument}
      named={(card: CardNameFragment) => ({ uuid: card.uuid, name: `${card.node} #${card.index}`, title: card.uuid })}
      titles={{ kinds: t('types'), hint: t('types_hint'), compute: t('top.deviceCompute'), memory: t('top.deviceMemory') }}
    />
  )
}

function List() {
  const { t } = useTranslation('registering')
  const { at } = useMoment()
  const order = useOrder<DeviceSort>('NODE')
  const [search] = useUrl('q')
  const filters = useFilters(['type', 'node', 'mode', 'vendor', 'used'], statuses, ['healthy', 'cordoned'])
  const { type, node, mode, vendor, used, healthy, cordoned } = filters.values
  const devices = useList(
    DevicesDocument,
    { at, filter: { search, type, node, mode, vendor, used: flag(used), healthy: flag(healthy), cordoned: flag(cordoned) }, sort: order.sort, descending: order.descending },
    (result) => result.devices,
    { every: measured },
  )
  const columns = useColumns()

  // Each choice offers what is there with the others chosen.
  const kinds = useQuestion(KindsDocument, { at })
  const ofNode = useQuestion(TypesOfNodeDocument, { at, node: node ?? '' }, { enabled: !!node })
  const [typed, type_] = useState('')
  const nodes = useQuestion(NodesToChooseDocument, { at, filter: { type, vendor, nameContains: typed && typed !== node ? typed : undefined } })
  const typesThere = node ? ofNode.data?.nodes.items[0]?.types : undefined
  const types = [...new Set((kinds.data?.cluster.types ?? []).filter((of) => (!vendor || of.vendor === vendor) && (!typesThere || typesThere.includes(of.type))).map((of) => of.type))]
  const vendors = [...new Set((kinds.data?.cluster.types ?? []).filter((of) => (!type || of.type === type) && (!typesThere || typesThere.includes(of.type))).map((of) => of.vendor))]
  return (
    <DataList
      name="devices"
      label={t('deviceList')}
      columns={columns}
      question={devices}
      rowKey={(card) => `${card.node}/${card.uuid}`}
      order={order}
      filters={
        <>
          <Choice
            label={t('filter.status')}
            value={filters.status}
            options={filters.names.map((name) => ({ value: name, label: t(`status.${name}`) }))}
            onChange={filters.choose}
          />
          <Choice label={t('filter.type')} value={type} options={types} onChange={filters.set('type')} width={150} />
          <Choice label={t('filter.node')} value={node} options={(nodes.data?.nodes.items ?? []).flatMap((of) => (of ? [of.name] : []))} onChange={filters.set('node')} onSearch={type_} />
          <Choice label={t('filter.mode')} value={mode} options={modes} onChange={filters.set('mode')} width={130} />
          <Choice label={t('filter.vendor')} value={vendor} options={vendors} onChange={filters.set('vendor')} width={130} />
          <Choice label={t('filter.use')} value={used} options={[{ value: 'true', label: t('filter.used') }, { value: 'false', label: t('filter.unused') }]} onChange={filters.set('used')} width={130} />
        </>
      }
      empty={
        filters.isFiltered
          ? <Empty title={t('empty.devicesFiltered')} action={<Button size="xs" mt="xs" variant="default" onClick={filters.clear}>{t('filter.clear')}</Button>} />
          : <Empty title={t('empty.devices')} hint={t('empty.devicesHint')} />
      }
    />
  )
}

function useColumns(): Column<Row>[] {
  const { t } = useTranslation('registering')
  return useMemo<Column<Row>[]>(
    () => [
      { key: 'uuid', title: t('column.uuid'), sort: 'UUID', width: 200, cell: (card) => <DeviceLink uuid={card.uuid} model={card.type} /> },
      {
        key: 'node', title: t('column.nodeIndex'), sort: 'NODE', width: 140,
        cell: (card) => <><PageLink to="/nodes/$node" params={{ node: card.node }} size="sm">{card.node}</PageLink> <Text span size="xs" c="dimmed">#{card.index}</Text></>,
      },
      { key: 'status', title: t('status.title'), sort: 'HEALTH', width: 130, cell: (card) => <DeviceStatus healthy={card.healthy} cordoned={card.cordoned} /> },
      { key: 'slots', title: t('column.slots'), sort: 'USED_SLOTS', width: 90, align: 'right', cell: (card) => <span data-testid="device-slots-used" data-value={card.usedSlots}>{units.count(card.usedSlots)} / {units.count(card.slots)}</span> },
      { key: 'compute', title: t('column.compute'), sort: 'USED_CORES_PERCENT', width: 150, cell: (card) => <div data-testid="device-cores-used" data-value={card.usedCores}><Meter label={t('column.compute')} part={card.usedCores} whole={card.cores} text={units.cardsOf(card.usedCores, card.cores)} /></div> },
      { key: 'computeFree', title: t('column.computeFree'), sort: 'FREE_CORES', width: 110, align: 'right', cell: (card) => <span data-testid="device-cores-free" data-value={card.freeCores}>{units.cards(card.freeCores)}</span> },
      { key: 'memory', title: t('column.memory'), sort: 'USED_MEMORY_PERCENT', width: 170, cell: (card) => <div data-testid="device-memory-used" data-value={card.usedMemoryMiB}><Meter label={t('column.memory')} part={card.usedMemoryMiB} whole={card.memoryMiB} text={units.memoryOf(card.usedMemoryMiB, card.memoryMiB)} /></div> },
      { key: 'memoryFree', title: t('column.memoryFree'), sort: 'FREE_MEMORY', width: 110, align: 'right', cell: (card) => <span data-testid="device-memory-free" data-value={card.freeMemoryMiB}>{units.memory(card.freeMemoryMiB)}</span> },
      { key: 'busy', title: t('column.busy'), sort: 'BUSY', width: 120, cell: (card) => <Meter label={t('column.busy')} part={card.usage?.busy} whole={100} /> },
      { key: 'inUse', title: t('column.inUse'), sort: 'MEMORY_IN_USE', width: 160, cell: (card) => <Meter label={t('column.inUse')} part={card.usage?.memoryUsedMiB} whole={card.usage?.memoryTotalMiB} text={card.usage ? units.memoryOf(card.usage.memoryUsedMiB, card.usage.memoryTotalMiB) : ''} /> },
      { key: 'mode', title: t('column.mode'), sort: 'MODE', width: 100, cell: (card) => card.mode },
      { key: 'temperature', title: t('column.temperature'), sort: 'TEMPERATURE', width: 100, align: 'right', cell: (card) => units.celsius(card.usage?.temperatureCelsius) },
      { key: 'power', title: t('column.power'), sort: 'POWER', width: 90, align: 'right', cell: (card) => units.watts(card.usage?.powerWatts) },
      { key: 'numa', title: t('column.numa'), sort: 'NUMA', width: 80, align: 'right', cell: (card) => card.numa },
      { key: 'model', title: t('column.model'), sort: 'TYPE', isExtra: true, width: 190, cell: (card) => card.type },
      { key: 'vendor', title: t('column.vendor'), sort: 'VENDOR', isExtra: true, width: 90, cell: (card) => card.vendor },
      { key: 'cores', title: t('column.cores'), sort: 'CORES', isExtra: true, align: 'right', cell: (card) => units.cards(card.cores) },
      { key: 'memoryTotal', title: t('column.memoryTotal'), sort: 'MEMORY', isExtra: true, align: 'right', cell: (card) => units.memory(card.memoryMiB) },
    ],
    [t],
  )
}
