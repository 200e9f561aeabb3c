import { Anchor, Table, Text } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { WorkloadKinDocument } from '../../Plumbing/asked'
import { useMoment } from '../../Plumbing/moment'
import { Panel } from '../../Plumbing/Page'
import { useQuestion } from '../../Plumbing/question'
import { Answered } from '../../Plumbing/states'
import * as units from '../../Plumbing/units'
import { NodeLink } from '../workloads/NodeLink'
import { ownerText } from '../workloads/owner'
import { StatusBadge } from '../workloads/StatusBadge'

/** What other pods of the same owner, or of the same name, hold and held. */
export function Kin({ podUid, namespace, pod, owner }: { podUid: string; namespace: string; pod: string; owner: { kind: string; name: string } | null }) {
  const { t } = useTranslation('observing')
  const { at } = useMoment()
  const question = useQuestion(WorkloadKinDocument, { filter: owner ? { namespace, ownerKind: owner.kind, ownerName: owner.name } : { namespace, pod }, at })
  const search = owner ? { show: 'all', namespace, owner: ownerText(owner.kind, owner.name) } : { show: 'all', namespace, q: pod }
  return (
    <Panel title={owner ? t('workload.kin.ofOwner', { owner: `${owner.kind} ${owner.name}` }) : t('workload.kin.ofName', { pod })} actions={<Anchor component={Link} to="/workloads" search={search as never} size="sm">{t('workload.kin.all')}</Anchor>}>
      <Answered question={question} height={80}>
        {({ allocations }) => {
          const others = allocations.items.filter((each) => each !== null).filter((each) => each.podUid !== podUid).slice(0, 10)
          if (others.length === 0) return <Text size="sm" c="dimmed">{t('workload.kin.none')}</Text>
          return (
            <Table.ScrollContainer minWidth={560} type="native">
              <Table verticalSpacing={4} aria-label={t('workload.kin.label')}>
                <Table.Thead>
                  <Table.Tr>
                    <Table.Th>{t('workloads.column.pod')}</Table.Th>
                    <Table.Th>{t('workloads.column.status')}</Table.Th>
                    <Table.Th>{t('workloads.column.node')}</Table.Th>
                    <Table.Th>{t('workloads.column.placedAt')}</Table.Th>
                    <Table.Th>{t('workloads.column.held')}</Table.Th>
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {others.map((each) => (
                    <Table.Tr key={each.id}>
                      <Table.Td><Anchor component={Link} to={`/workloads/${each.podUid}`} size="sm">{each.pod}</Anchor></Table.Td>
                      <Table.Td><StatusBadge of={each} /></Table.Td>
                      <Table.Td><NodeLink node={each.node} /></Table.Td>
                      <Table.Td>{units.moment(each.placedAt)}</Table.Td>
                      <Table.Td>{units.since(each.placedAt, each.releasedAt ?? at ?? new Date())}</Table.Td>
                    </Table.Tr>
                  ))}
                </Table.Tbody>
              </Table>
            </Table.ScrollContainer>
          )
        }}
      </Answered>
    </Panel>
  )
}
