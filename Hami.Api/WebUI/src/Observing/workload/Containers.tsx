import { Table, Text } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import type { PodNowFragment } from '../../Plumbing/asked'
import { Panel } from '../../Plumbing/Page'
import * as units from '../../Plumbing/units'

/** The pod's containers as the API server has them now: images, states, and what they may have of the node's own CPU and memory. */
export function Containers({ live }: { live: PodNowFragment }) {
  const { t } = useTranslation('observing')
  return (
    <Panel title={t('workload.containers')}>
      <Table.ScrollContainer minWidth={720} type="native">
        <Table verticalSpacing={6} aria-label={t('workload.containers')}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t('workloads.column.container')}</Table.Th>
              <Table.Th>{t('workload.image')}</Table.Th>
              <Table.Th>{t('workloads.column.status')}</Table.Th>
              <Table.Th ta="right">{t('workload.restarts')}</Table.Th>
              <Table.Th ta="right">{t('workload.cpu')}</Table.Th>
              <Table.Th ta="right">{t('workload.hostMemory')}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {live.containers.map((container) => (
              <Table.Tr key={container.name}>
                <Table.Td>
                  {container.name}
                  {container.isInit && <Text size="xs" c="dimmed">{t('workload.init')}</Text>}
                </Table.Td>
                <Table.Td><Text size="xs" ff="monospace" style={{ overflowWrap: 'anywhere' }}>{container.image}</Text></Table.Td>
                <Table.Td>{container.reason ?? t(`workload.state.${container.state === 'Running' || container.state === 'Terminated' ? container.state : 'Waiting'}`)}</Table.Td>
                <Table.Td ta="right">{units.count(container.restarts)}</Table.Td>
                <Table.Td ta="right" style={{ whiteSpace: 'nowrap' }}>{units.cpus(container.cpuRequestMilli)} / {units.cpus(container.cpuLimitMilli)}</Table.Td>
                <Table.Td ta="right" style={{ whiteSpace: 'nowrap' }}>{units.memory(container.memoryRequestMiB)} / {units.memory(container.memoryLimitMiB)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Panel>
  )
}
