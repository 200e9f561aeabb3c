import { DateTimePicker } from '@mantine/dates'
import { useTranslation } from 'react-i18next'
import { useYou } from '../../Access/Gate'
import { WorkloadDevicesDocument, type AllocationFilter, type ReleaseReason } from '../../Plumbing/asked'
import { useCalendarWords } from '../../Plumbing/calendar'
import { Choice } from '../../Plumbing/list/Choice'
import { useNamespaces, useNodes } from '../../Plumbing/list/choices'
import { FilterBox } from '../../Plumbing/list/FilterBox'
import { useMoment } from '../../Plumbing/moment'
import { useQuestion } from '../../Plumbing/question'
import { useSetUrl, useUrl } from '../../Plumbing/url'
import { ownerFilter } from './owner'

export const releaseReasons = ['COMPLETED', 'FAILED', 'DELETED', 'BIND_FAILED'] as const satisfies ReleaseReason[]

/** What the address filters the list by. */
export function useWorkloadFilter(): AllocationFilter {
  const [namespace] = useUrl('namespace')
  const [node] = useUrl('node')
  const [deviceUuid] = useUrl('device')
  const [owner] = useUrl('owner')
  const [search] = useUrl('q')
  const [from] = useUrl('from')
  const [to] = useUrl('to')
  const [reason] = useUrl('reason')
  return { namespace, node, deviceUuid, search, from, to, ...ownerFilter(owner), releaseReason: releaseReasons.find((known) => known === reason) }
}

/** The boxes that set it; the time and the reason only where pods have ended. */
export function Filters({ withEnded, owners }: { withEnded: boolean; owners: string[] }) {
  const { t } = useTranslation('observing')
  const you = useYou()
  const { at } = useMoment()
  const namespaces = useNamespaces()
  const nodes = useNodes()
  const set = useSetUrl()
  const [namespace] = useUrl('namespace')
  const [node] = useUrl('node')
  const [device] = useUrl('device')
  const [owner] = useUrl('owner')
  const [from] = useUrl('from')
  const [to] = useUrl('to')
  const [reason] = useUrl('reason')
  const { data } = useQuestion(WorkloadDevicesDocument, { node: node ?? '', at }, { enabled: !!node && you.nodes })
  const devices = node ? (data?.devices.items.flatMap((card) => (card ? [{ value: card.uuid, label: `${card.index} · ${card.type} · ${card.uuid}` }] : [])) ?? []) : []
  return (
    <>
      <FilterBox label={t('workloads.column.namespace')} value={namespace} choices={namespaces} onChange={(next) => set({ namespace: next })} />
      <FilterBox label={t('workloads.column.node')} value={node} choices={nodes} onChange={(next) => set({ node: next, device: undefined })} />
      {(devices.length > 0 || device) && <Choice label={t('workloads.column.card')} value={device} options={devices} onChange={(next) => set({ device: next })} width={220} />}
      <FilterBox label={t('workloads.column.owner')} value={owner} choices={owners} onChange={(next) => set({ owner: next })} />
      {withEnded && (
        <>
          <Choice label={t('workloads.why')} value={releaseReasons.find((known) => known === reason)} options={releaseReasons.map((value) => ({ value, label: t(`workloads.end.${value}`) }))} onChange={(next) => set({ reason: next })} width={150} />
          <When label={t('workloads.from')} value={from} onChange={(next) => set({ from: next })} />
          <When label={t('workloads.to')} value={to} onChange={(next) => set({ to: next })} />
        </>
      )}
    </>
  )
}

function When({ label, value, onChange }: { label: string; value: string | undefined; onChange: (value: string | undefined) => void }) {
  const words = useCalendarWords()
  return (
    <DateTimePicker
      size="sm"
      w={190}
      aria-label={label}
      placeholder={label}
      clearable
      valueFormat="YYYY-MM-DD HH:mm"
      ariaLabels={words}
      value={value && !Number.isNaN(Date.parse(value)) ? new Date(value) : null}
      onChange={(next) => onChange(next ? new Date(next).toISOString() : undefined)}
    />
  )
}
