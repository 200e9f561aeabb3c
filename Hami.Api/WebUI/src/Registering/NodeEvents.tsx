import { Table, Text } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { NodeEventsDocument } from '../Plumbing/asked'
import { useMoment } from '../Plumbing/moment'
import { Panel } from '../Plumbing/Page'
import { PageLink } from '../Plumbing/PageLink'
import { useQuestion } from '../Plumbing/question'
import { Answered, Empty } from '../Plumbing/states'
import * as units from '../Plumbing/units'
import { readBody } from './happened'
import { DeviceLink } from './Uuid'
import type { registering } from './words.en'

type Word = Exclude<keyof (typeof registering)['events'], 'title' | 'more'>

const words: Word[] = ['devices_registered', 'node_removed', 'device_cordoned', 'device_uncordoned', 'allocation_placed', 'allocation_adopted', 'allocation_bound', 'allocation_attached', 'allocation_shrunk', 'allocation_released', 'node_carried_forward']

/** What happened on a node last; of steps of an allocation whose event names no pod, the pod is the one that holds it. */
export function NodeEvents({ node, pods }: { node: string; pods: { id: string; podUid: string; namespace: string; pod: string }[] }) {
  const { t } = useTranslation('registering')
  const { at } = useMoment()
  const events = useQuestion(NodeEventsDocument, { stream: `node/${node}/`, to: at })
  return (
    <Panel title={t('events.title')} actions={<PageLink to="/history" search={{ node }} size="sm">{t('events.more')}</PageLink>}>
      <Answered question={events}>
        {({ events: { items } }) =>
          items.length === 0 ? (
            <Empty title={t('empty.events')} />
          ) : (
            <Table.ScrollContainer minWidth={480}>
              <Table aria-label={t('events.title')} verticalSpacing={4}>
                <Table.Thead><Table.Tr><Table.Th>{t('column.when')}</Table.Th><Table.Th>{t('column.what')}</Table.Th><Table.Th>{t('column.pod')}</Table.Th></Table.Tr></Table.Thead>
                <Table.Tbody>
                  {items.filter((event) => !!event).map((event) => {
                    const happened = readBody(event.body)
                    const holder = pods.find((pod) => pod.id === event.allocationId)
                    const podUid = happened.podUid ?? holder?.podUid
                    const pod = happened.pod ?? (holder && `${holder.namespace}/${holder.pod}`)
                    const word = words.find((type) => type === event.type)
                    return (
                      <Table.Tr key={event.position}>
                        <Table.Td style={{ whiteSpace: 'nowrap' }}>{units.moment(event.at)}</Table.Td>
                        <Table.Td>
                          {word ? t(`events.${word}`, { number: units.count(happened.devices) }) : event.type}
                          {happened.reason && <Text span size="xs" c="dimmed"> · {happened.reason}</Text>}
                          {happened.deviceUuid && <DeviceLink uuid={happened.deviceUuid} />}
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
