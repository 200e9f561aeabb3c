import { Alert, Anchor, Group, Table } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { Lock } from 'lucide-react'
import { useTranslation } from 'react-i18next'
import { OwnNamespacesDocument } from '../../Plumbing/asked'
import { useMoment } from '../../Plumbing/moment'
import { Panel } from '../../Plumbing/Page'
import { useQuestion } from '../../Plumbing/question'
import { Answered, Empty } from '../../Plumbing/states'
import * as units from '../../Plumbing/units'

/** For somebody who sees no nodes and cards: what their namespaces hold. */
export function OwnOverview() {
  const { t } = useTranslation('observing')
  const { at } = useMoment()
  const question = useQuestion(OwnNamespacesDocument, { at })
  return (
    <>
      <Alert icon={<Lock aria-hidden />} color="gray" variant="light" role="note">{t('overview.ownHint')}</Alert>
      <Panel
        title={t('overview.own')}
        actions={
          <Group gap="md">
            <Anchor component={Link} to="/namespaces" size="sm">{t('overview.allNamespaces')}</Anchor>
            <Anchor component={Link} to="/workloads" size="sm">{t('overview.workloads')}</Anchor>
            <Anchor component={Link} to="/usage" size="sm">{t('usage.title')}</Anchor>
          </Group>
        }
      >
        <Answered question={question}>
          {({ quotas }) => {
            const rows = quotas.items.filter((row) => row !== null)
            if (rows.length === 0) return <Empty title={t('overview.ownEmpty')} hint={t('overview.ownEmptyHint')} />
            return (
              <Table verticalSpacing={6} aria-label={t('overview.own')}>
                <Table.Thead>
                  <Table.Tr>
                    <Table.Th>{t('namespaces.namespace')}</Table.Th>
                    <Table.Th ta="right">{t('namespaces.memory')}</Table.Th>
                    <Table.Th ta="right">{t('namespaces.cores')}</Table.Th>
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {rows.map((row) => (
                    <Table.Tr key={row.namespace}>
                      <Table.Td><Anchor component={Link} to="/namespaces" search={{ namespace: row.namespace } as never} size="sm">{row.namespace}</Anchor></Table.Td>
                      <Table.Td ta="right">{units.memory(row.usedMemoryMiB)}</Table.Td>
                      <Table.Td ta="right">{units.cards(row.usedCores)}</Table.Td>
                    </Table.Tr>
                  ))}
                </Table.Tbody>
              </Table>
            )
          }}
        </Answered>
      </Panel>
    </>
  )
}
