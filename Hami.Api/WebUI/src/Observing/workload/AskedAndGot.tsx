import { Table, Text } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { askText } from '../../Placing/asks'
import type { WorkloadCardsQuery, WorkloadQuery, WorkloadStoryQuery } from '../../Plumbing/asked'
import { Panel } from '../../Plumbing/Page'
import * as units from '../../Plumbing/units'
import { CardLink } from '../workloads/CardLink'

type Allocation = NonNullable<WorkloadQuery['allocations']['items'][number]>
type Ask = NonNullable<NonNullable<WorkloadStoryQuery['explain']>['ask']>
type Node = NonNullable<WorkloadCardsQuery['nodes']['items'][number]>

/** What each container asked of cards, what it got, and what it uses of that now. */
export function AskedAndGot({ ask, allocation, node }: { ask: Ask | null | undefined; allocation: Allocation | undefined; node: Node | undefined }) {
  const { t } = useTranslation('observing')
  const asking = useTranslation('placing').t
  const names = [...new Set([...(ask?.containers.filter((container) => container.count > 0).map((container) => container.name) ?? []), ...(allocation?.shares.map((share) => share.container) ?? [])])]
  const cards = new Map(node?.devices.map((device) => [device.uuid, device]))
  return (
    <Panel title={t('workload.askedAndGot')}>
      <Table.ScrollContainer minWidth={720} type="native">
        <Table verticalSpacing={6} aria-label={t('workload.askedAndGot')}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t('workloads.column.container')}</Table.Th>
              <Table.Th miw={160}>{t('workload.asked')}</Table.Th>
              <Table.Th>{t('workload.got')}</Table.Th>
              <Table.Th ta="right">{t('workloads.column.memory')}</Table.Th>
              <Table.Th ta="right">{t('workloads.column.compute')}</Table.Th>
              <Table.Th ta="right" style={{ whiteSpace: 'nowrap' }}>{t('workloads.column.use')}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {names.flatMap((name) => {
              const asked = ask?.containers.find((container) => container.name === name && container.count > 0)
              const shares = allocation?.shares.filter((share) => share.container === name) ?? []
              const rows = shares.length > 0 ? shares : [undefined]
              return rows.map((share, i) => {
                const card = share && cards.get(share.deviceUuid)
                const usage = allocation && card?.shares.find((held) => held.allocationId === allocation.id && held.container === name)?.usage
                return (
                  <Table.Tr key={`${name} ${i}`}>
                    {i === 0 && (
                      <>
                        <Table.Td rowSpan={rows.length} style={{ verticalAlign: 'top' }}>
                          {name}
                          {(asked?.endsBeforeApps || share?.endsBeforeApps) && <Text size="xs" c="dimmed">{t('workload.init')}</Text>}
                        </Table.Td>
                        <Table.Td rowSpan={rows.length} style={{ verticalAlign: 'top' }}>{asked ? askText(asking, asked) : units.unknown}</Table.Td>
                      </>
                    )}
                    <Table.Td>
                      {share ? (
                        <>
                          <CardLink uuid={share.deviceUuid} />
                          <Text size="xs" c="dimmed">{[card && `${card.index} · ${card.type}`, share.mig && `MIG ${share.mig.profile}@${share.mig.start}`].filter(Boolean).join(' · ')}</Text>
                        </>
                      ) : (
                        <Text size="sm" c="dimmed">{t('workload.nothingYet')}</Text>
                      )}
                    </Table.Td>
                    <Table.Td ta="right">{share ? units.memory(share.memoryMiB) : units.unknown}</Table.Td>
                    <Table.Td ta="right">{share ? units.percent(share.cores) : units.unknown}</Table.Td>
                    <Table.Td ta="right" style={{ whiteSpace: 'nowrap' }}>{usage ? `${units.percent(usage.busy)} · ${units.memory(usage.memoryUsedMiB)}` : units.unknown}</Table.Td>
                  </Table.Tr>
                )
              })
            })}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Panel>
  )
}
