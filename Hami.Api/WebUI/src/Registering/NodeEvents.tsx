import { Table } from '@mantine/core'
import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { NodeEventsDocument } from '../Plumbing/asked'
import { useMoment } from '../Plumbing/moment'
import { Panel } from '../Plumbing/Page'
import { PageLink } from '../Plumbing/PageLink'
import { useQuestion } from '../Plumbing/question'
import { Answered, Empty } from '../Plumbing/states'
import * as units from '../Plumbing/units'
import { concerned, sentence } from '../Replaying/happened'
import { useNames } from '../Replaying/names'
import { DeviceLink } from './Uuid'

/** What happened on a node last. */
export function NodeEvents({ node }: { node: string }) {
  const { t } = useTranslation('registering')
  const telling = useTranslation('replaying').t
  const { at } = useMoment()
  const question = useQuestion(NodeEventsDocument, { stream: `node/${node}/`, to: at })
  const events = useMemo(() => question.data?.events.items.filter((event) => !!event) ?? [], [question.data])
  const names = useNames(events)
  return (
    <Panel title={t('events.title')} actions={<PageLink to="/history" search={{ node }} size="sm">{t('events.more')}</PageLink>}>
      <Answered question={question}>
        {() =>
          events.length === 0 ? (
            <Empty title={t('empty.events')} />
          ) : (
            <Table.ScrollContainer minWidth={480}>
              <Table aria-label={t('events.title')} verticalSpacing={4}>
                <Table.Thead><Table.Tr><Table.Th>{t('column.when')}</Table.Th><Table.Th>{t('column.what')}</Table.Th><Table.Th>{t('column.pod')}</Table.Th></Table.Tr></Table.Thead>
                <Table.Tbody>
                  {events.map((event) => {
                    const { podUid, pod, device } = concerned(event, names)
                    return (
                      <Table.Tr key={event.position}>
                        <Table.Td style={{ whiteSpace: 'nowrap' }}>{units.moment(event.at)}</Table.Td>
                        <Table.Td>
                          {sentence(telling, event, names)}
                          {device && <DeviceLink uuid={device} />}
                        </Table.Td>
                        <Table.Td>{podUid ? <PageLink to="/workloads/$podUid" params={{ podUid }} size="sm">{pod ?? podUid}</PageLink> : units.unknown}</Table.Td>
                      </Table.Tr>
                    )
                  })}
                </Table.Tbody>
              </Table>
            </Table.ScrollContainer>
          )
        }
      </Answered>
    </Panel>
  )
}
