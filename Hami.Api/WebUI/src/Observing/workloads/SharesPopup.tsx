import { Anchor, Popover, Table, Text } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import type { WorkloadsQuery } from '../../Plumbing/asked'
import * as units from '../../Plumbing/units'
import { CardLink } from './CardLink'

type Row = NonNullable<WorkloadsQuery['allocations']['items'][number]>

/** How many cards of which model a pod has a part of; opens to which part of which. */
export function SharesPopup({ row }: { row: Row }) {
  const { t } = useTranslation('observing')
  const hasMig = row.shares.some((share) => share.mig)
  return (
    <Popover withArrow position="bottom-start" trapFocus returnFocus shadow="md">
      <Popover.Target>
        <Anchor component="button" size="sm" ta="left" maw={220}>
          <Text span size="sm">{t('workloads.cards', { count: row.devices, formatted: units.count(row.devices) })}</Text>
          <Text span size="xs" c="dimmed" truncate display="block">{row.types.join(', ') || units.unknown}</Text>
        </Anchor>
      </Popover.Target>
      <Popover.Dropdown maw="calc(100vw - 32px)">
        <Table.ScrollContainer minWidth={420} type="native">
          <Table verticalSpacing={4} aria-label={t('workloads.column.cards')}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t('workloads.column.container')}</Table.Th>
                <Table.Th>{t('workloads.column.card')}</Table.Th>
                <Table.Th ta="right">{t('workloads.column.memory')}</Table.Th>
                <Table.Th ta="right">{t('workloads.column.compute')}</Table.Th>
                {hasMig && <Table.Th>MIG</Table.Th>}
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {row.shares.map((share) => (
                <Table.Tr key={`${share.containerIndex} ${share.deviceUuid} ${share.mig?.profile ?? ''}`}>
                  <Table.Td>{share.container}</Table.Td>
                  <Table.Td><CardLink uuid={share.deviceUuid} /></Table.Td>
                  <Table.Td ta="right">{units.memory(share.memoryMiB)}</Table.Td>
                  <Table.Td ta="right">{units.cards(share.cores)}</Table.Td>
                  {hasMig && <Table.Td>{share.mig?.profile ?? units.unknown}</Table.Td>}
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      </Popover.Dropdown>
    </Popover>
  )
}
