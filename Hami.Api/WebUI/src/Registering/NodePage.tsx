import { Alert, Button, Group, SimpleGrid, Stack, Text } from '@mantine/core'
import { Link, useParams } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { NodeOneDocument, type NodeOneQuery } from '../Plumbing/asked'
import { useMoment } from '../Plumbing/moment'
import { Fact, Page, Panel } from '../Plumbing/Page'
import { PageLink } from '../Plumbing/PageLink'
import { measured, useQuestion } from '../Plumbing/question'
import { Answered, Empty } from '../Plumbing/states'
import * as units from '../Plumbing/units'
import { Legend, MemoryBar } from './CardDrawing'
import { coloursOf } from './colours'
import { Figure } from './Figure'
import { NodeEvents } from './NodeEvents'
import { NodeTasks } from './NodeTasks'
import { overcommit } from './overcommit'
import { Portion } from './Portion'
import { DeviceStatus, NodeBadges } from './status'
import { tenantsOf } from './tenants'
import { Trends } from './Trends'
import { CopyUuid, shortened } from './Uuid'

type Node = NonNullable<NodeOneQuery['nodes']['items'][number]>

export default function NodePage() {
  const { node } = useParams({ strict: false }) as { node: string }
  // Another node is another page: nothing of the one before stays.
  return <NodeOf key={node} name={node} />
}

function NodeOf({ name }: { name: string }) {
  const { t } = useTranslation('registering')
  const { at, isNow } = useMoment()
  const question = useQuestion(NodeOneDocument, { at, node: name }, { every: measured })
  const node = question.data?.nodes.items[0]
  return (
    <Page title={name} above={[{ title: t('nodes'), to: '/nodes' }]} badge={node && <NodeBadges facts={node.facts} />}>
      <Answered question={question} height={480}>
        {() =>
          node ? (
            <Found node={node} />
          ) : (
            <Empty
              title={t(isNow ? 'empty.nodeLost' : 'empty.nodeLostThen', { node: name })}
              hint={t(isNow ? 'empty.nodeLostHint' : 'empty.lostThenHint')}
              action={<Button component={Link} to="/nodes" size="xs" mt="xs" variant="default">{t('empty.allNodes')}</Button>}
            />
          )
        }
      </Answered>
    </Page>
  )
}

function Found({ node }: { node: Node }) {
  const { facts } = node
  return (
    <Stack gap="md">
      {facts?.notReadyBecause && <Alert color="red" variant="light">{facts.notReadyBecause}</Alert>}
      <Totals node={node} />
      <Cards node={node} />
      <NodeTasks node={node.name} />
      <Trends of={{ node: node.name }} />
      <Facts node={node} />
      <NodeEvents node={node.name} />
    </Stack>
  )
}

function Totals({ node }: { node: Node }) {
  const { t } = useTranslation('registering')
  const { usage } = node
  const over = overcommit(node.devices)
  return (
    <SimpleGrid cols={{ base: 1, xs: 2, lg: 4 }}>
      <Panel title={t('total.compute')} hint={t('total.computeHint', { free: units.cards(node.cores - node.usedCores) })}>
        <Stack gap="xs">
          <Portion id="node-cores-used" label={t('total.allocated')} part={node.usedCores} whole={node.cores} text={units.cardsOf(node.usedCores, node.cores)} />
          <Portion id="node-busy" label={t('total.used')} part={usage?.busy} whole={100} />
        </Stack>
      </Panel>
      <Panel title={t('total.memory')} hint={t('total.memoryHint', { free: units.memory(node.memoryMiB - node.usedMemoryMiB) })}>
        <Stack gap="xs">
          <Portion id="node-memory-used" label={t('total.allocated')} part={node.usedMemoryMiB} whole={node.memoryMiB} text={units.memoryOf(node.usedMemoryMiB, node.memoryMiB)} />
          <Portion id="node-memory-in-use" label={t('total.used')} part={usage?.memoryUsedMiB} whole={usage?.memoryTotalMiB} text={usage ? units.memoryOf(usage.memoryUsedMiB, usage.memoryTotalMiB) : undefined} />
        </Stack>
      </Panel>
      <Panel title={t('total.slots')} hint={t('total.slotsHint')}>
        <Stack gap="xs">
          <Portion id="node-slots-used" label={t('total.allocated')} part={node.usedSlots} whole={node.slots} text={`${units.count(node.usedSlots)} / ${units.count(node.slots)}`} />
          <Group gap="lg">
            <Fact label={t('column.pods')}><Figure id="node-pods" value={node.pods}>{units.count(node.pods)}</Figure></Fact>
            <Fact label={t('column.temperature')}>{units.celsius(usage?.temperatureCelsius)}</Fact>
            <Fact label={t('column.power')}>{units.watts(usage?.powerWatts)}</Fact>
          </Group>
        </Stack>
      </Panel>
      <Panel title={t('over.title')} hint={t('over.hint')}>
        <SimpleGrid cols={2} spacing="xs" verticalSpacing={4}>
          <Fact label={t('over.slots')}><Figure id="node-slots-per-device" value={over.slots / Math.max(1, node.devices.length)}>{factor(node.devices.length > 0 ? over.slots / node.devices.length : null)}</Figure></Fact>
          <Fact label={t('over.memory')}><Figure id="node-memory-scaling" value={over.memory}>{factor(over.memory)}</Figure></Fact>
          <Fact label={t('over.cores')}><Figure id="node-core-scaling" value={over.cores}>{factor(over.cores)}</Figure></Fact>
          <Fact label={t('over.physical')}>{units.memory(over.physicalMiB)}</Fact>
        </SimpleGrid>
      </Panel>
    </SimpleGrid>
  )
}

function factor(value: number | null | undefined): string {
  return value == null ? units.unknown : `${units.cards(value * 100)} ×`
}

function Cards({ node }: { node: Node }) {
  const { t } = useTranslation('registering')
  const phases = new Map(node.allocations.map((allocation) => [allocation.id, allocation.phase]))
  const colours = coloursOf(node.devices.flatMap((card) => card.shares.map((share) => share.namespace)))
  return (
    <Panel title={t('cards.title')} hint={t('cards.hint')}>
      {node.devices.length === 0 && <Empty title={t('empty.cards')} />}
      <Stack gap="sm">
        <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="xl" verticalSpacing="sm">
          {node.devices.map((card) => (
            <div key={card.uuid} data-testid="node-card" data-value={card.uuid}>
              <Group justify="space-between" gap={6} mb={2}>
                <Group gap={6}>
                  <Text size="sm" fw={600}>#{card.index}</Text>
                  <PageLink to="/devices/$uuid" params={{ uuid: card.uuid }} size="sm" title={card.uuid}>{card.type}</PageLink>
                  {card.mode !== 'hami-core' && <Text size="xs" c="dimmed">{card.mode}</Text>}
                  {(!card.healthy || card.cordoned) && <DeviceStatus healthy={card.healthy} cordoned={card.cordoned} />}
                </Group>
                <Text size="xs" c="dimmed" style={{ fontVariantNumeric: 'tabular-nums' }}>
                  {units.memoryOf(card.usedMemoryMiB, card.memoryMiB)} · {units.count(card.usedSlots)} / {units.count(card.slots)} · {units.celsius(card.usage?.temperatureCelsius)}
                </Text>
              </Group>
              <MemoryBar card={card} tenants={tenantsOf(card.shares, phases)} colours={colours} />
              <Group gap={4} wrap="nowrap">
                <Text size="xs" c="dimmed" title={card.uuid} style={{ whiteSpace: 'nowrap' }}>{shortened(card.uuid)}</Text>
                <CopyUuid uuid={card.uuid} />
                <Text size="xs" c="dimmed" ml="auto" truncate>{t('total.compute')} {units.cardsOf(card.usedCores, card.cores)} · {t('total.used')} {units.percent(card.usage?.busy)}</Text>
              </Group>
            </div>
          ))}
        </SimpleGrid>
        <Legend colours={colours} />
      </Stack>
    </Panel>
  )
}

function Facts({ node }: { node: Node }) {
  const { t } = useTranslation('registering')
  const { isNow } = useMoment()
  const { facts } = node
  const models = node.types.map((type) => `${node.devices.filter((card) => card.type === type).length} × ${type}`)
  return (
    <Panel title={t('fact.title')} hint={facts ? undefined : t(isNow ? 'status.goneHint' : 'status.thenUnknown')}>
      <SimpleGrid cols={{ base: 1, xs: 2, md: 3, lg: 4 }} verticalSpacing="xs">
        <Fact label={t('fact.models')}>{models.length > 0 ? models.join(', ') : units.unknown}</Fact>
        <Fact label={t('column.vendor')}>{node.vendor || units.unknown}</Fact>
        <Fact label={t('fact.health')}>{node.devices.length > 0 ? t('status.healthyOf', { healthy: node.healthyDevices, all: node.devices.length }) : units.unknown}</Fact>
        <Fact label={t('fact.driver')}>{node.driverVersion || units.unknown}</Fact>
        <Fact label={t('column.address')}>{facts?.address || units.unknown}</Fact>
        <Fact label={t('fact.uid')}>{facts?.uid || units.unknown}</Fact>
        <Fact label={t('fact.osImage')}>{facts?.osImage || units.unknown}</Fact>
        <Fact label={t('fact.os')}>{facts?.operatingSystem || units.unknown}</Fact>
        <Fact label={t('column.architecture')}>{facts?.architecture || units.unknown}</Fact>
        <Fact label={t('column.kernel')}>{facts?.kernelVersion || units.unknown}</Fact>
        <Fact label={t('column.runtime')}>{facts?.containerRuntimeVersion || units.unknown}</Fact>
        <Fact label={t('column.kubelet')}>{facts?.kubeletVersion || units.unknown}</Fact>
        <Fact label={t('fact.kubeProxy')}>{facts?.kubeProxyVersion || units.unknown}</Fact>
        <Fact label={t('fact.cpu')}>{units.cpus(facts?.cpuMilli)}</Fact>
        <Fact label={t('fact.hostMemory')}>{units.memory(facts?.hostMemoryMiB)}</Fact>
        <Fact label={t('column.created')}>{units.moment(facts?.createdAt)}</Fact>
        <Fact label={t('fact.told')}>{units.moment(node.usage?.at)}</Fact>
      </SimpleGrid>
    </Panel>
  )
}
