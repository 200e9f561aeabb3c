import { Accordion, Code, Group, Text } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import type { WorkloadEventsQuery } from '../../Plumbing/asked'
import * as units from '../../Plumbing/units'

/** The events of the log that tell of a pod, as they are stored. */
export function RawEvents({ events }: { events: WorkloadEventsQuery['events'] }) {
  const { t } = useTranslation('observing')
  return (
    <Accordion variant="contained">
      <Accordion.Item value="events">
        <Accordion.Control>
          <Text size="sm" fw={500}>{t('workload.events', { count: events.totalCount, formatted: units.count(events.totalCount) })}</Text>
        </Accordion.Control>
        <Accordion.Panel>
          <Accordion multiple>
            {events.items.filter((event) => event !== null).map((event) => (
              <Accordion.Item key={`${event.stream} ${event.version}`} value={`${event.stream} ${event.version}`}>
                <Accordion.Control>
                  <Group gap="xs">
                    <Code>{event.type}</Code>
                    <Text size="xs" c="dimmed">{units.moment(event.at)} · {event.stream} · {event.position}</Text>
                  </Group>
                </Accordion.Control>
                <Accordion.Panel><Code block style={{ maxHeight: 400, overflow: 'auto' }} tabIndex={0}>{pretty(event.body)}</Code></Accordion.Panel>
              </Accordion.Item>
            ))}
          </Accordion>
        </Accordion.Panel>
      </Accordion.Item>
    </Accordion>
  )
}

function pretty(body: string): string {
  try {
    return JSON.stringify(JSON.parse(body), null, 2)
  } catch {
    return body
  }
}
