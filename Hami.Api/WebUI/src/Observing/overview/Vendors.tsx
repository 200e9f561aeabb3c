import { Anchor, Table } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import type { ClusterQuery } from '../../Plumbing/asked'
import { Panel } from '../../Plumbing/Page'
import * as units from '../../Plumbing/units'

/** Nodes and cards of each vendor. */
export function Vendors({ cluster }: { cluster: ClusterQuery['cluster'] }) {
  const { t } = useTranslation('observing')
  return (
    <Panel title={t('overview.vendors')}>
      <Table verticalSpacing={6} aria-label={t('overview.vendors')}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t('overview.vendor')}</Table.Th>
            <Table.Th ta="right">{t('overview.nodes')}</Table.Th>
            <Table.Th ta="right">{t('overview.devices')}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {cluster.vendors.map(({ vendor, nodes, devices }) => (
            <Table.Tr key={vendor}>
              <Table.Td>{vendor}</Table.Td>
              <Table.Td ta="right"><Anchor component={Link} to="/nodes" search={{ vendor } as never} size="sm">{units.count(nodes)}</Anchor></Table.Td>
              <Table.Td ta="right"><Anchor component={Link} to="/devices" search={{ vendor } as never} size="sm">{units.count(devices)}</Anchor></Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Panel>
  )
}
