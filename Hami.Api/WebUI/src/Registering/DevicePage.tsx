import { Badge, Button, Group, SimpleGrid, Stack, Text } from '@mantine/core'
import type { UseQueryResult } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { DeviceOneDocument, HoldersNowDocument, type DeviceOneQuery } from '../Plumbing/asked'
import { useMoment } from '../Plumbing/moment'
import { Fact, Page, Panel } from '../Plumbing/Page'
import { PageLink } from '../Plumbing/PageLink'
import { measured, useQuestion } from '../Plumbing/question'
import { Answered, Empty } from '../Plumbing/states'
import * as units from '../Plumbing/units'
import { ComputeBar, Legend, MemoryBar } from './CardDrawing'
import { coloursOf } from './colours'
import { DeviceHistory } from './DeviceHistory'
import { DeviceTenants } from './DeviceTenants'
import { Figure } from './Figure'
import { overcommit } from './overcommit'
import { Portion } from './Portion'
import { DeviceStatus } from './status'
import { tenantsOf } from './tenants'
import { Trends } from './Trends'
import { CopyUuid, shortened } from './Uuid'

type Card = NonNullable<DeviceOneQuery['devices']['items'][number]>

export default function DevicePage() {
  const { uuid } = useParams({ strict: false }) as { uuid: string }
  // Another device is another page: nothing of the one before stays.
  return <DeviceOf key={uuid} uuid={uuid} />
}

function DeviceOf({ uuid }: { uuid: string }) {
  const { t } = useTranslation('registering')
  const { at, isNow } = useMoment()
  const question = useQuestion(DeviceOneDocument, { at, uuid }, { every: measured })
  const card = question.data?.devices.items[0]
  return (
    <Page title={card ? `${card.type} #${card.index}` : uuid} above={[{ title: t('devices'), to: '/devices' }]} badge={card && <DeviceStatus healthy={card.healthy} cordoned={card.cordoned} />}>
      <Answered question={question} height={480}>
        {() =>
          card ? (
            <Found card={card} question={question} />
          ) : (
            <Empty
              title={t(isNow ? 'empty.deviceLost' : 'empty.deviceLostThen', { uuid })}
              hint={t(isNow ? 'empty.deviceLostHint' : 'empty.lostThenHint')}
              action={<Button component={Link} to="/devices" size="xs" mt="xs" variant="default">{t('empty.allDevices')}</Button>}
            />
          )
        }
      </Answered>
    </Page>
  )
}

function Found({ card, question }: { card: Card; question: UseQueryResult<unknown> }) {
  const { t } = useTranslation('registering')
  const { at } = useMoment()
  const holders = useQuestion(HoldersNowDocument, { at, uuid: card.uuid })
  const allocations = useMemo(() => new Map((holders.data?.allocations.items ?? []).flatMap((item) => (item ? [[item.id, item] as const] : []))), [holders.data])
  const tenants = useMemo(() => tenantsOf(card.shares, new Map([...allocations].map(([id, allocation]) => [id, allocation.phase]))), [card.shares, allocations])
  const colours = coloursOf(tenants.map((tenant) => tenant.namespace))
  return (
    <Stack gap="md">
      <Group gap="xs" mt={-8}>
        <PageLink to="/nodes/$node" params={{ node: card.node }} size="sm">{card.node}</PageLink>
        <Text size="sm" c="dimmed" style={{ overflowWrap: 'anywhere' }}>{card.uuid}</Text>
        <CopyUuid uuid={card.uuid} />
        <Badge variant="light" color="gray" tt="none">{card.mode}</Badge>
      </Group>
      <Totals card={card} />
      <Panel title={t('drawing.title')} hint={t('drawing.hint')}>
        <Stack gap="sm">
          <div>
            <Text size="xs" c="dimmed" mb={4}>{t(card.mode === 'mig' ? 'drawing.instances' : 'drawing.memory')} · {units.memory(card.memoryMiB)}</Text>
            <MemoryBar card={card} tenants={tenants} colours={colours} height={64} />
          </div>
          <div>
            <Text size="xs" c="dimmed" mb={4}>{t('drawing.compute')} · {units.percent(card.cores)}</Text>
            <ComputeBar card={card} tenants={tenants} colours={colours} height={40} />
          </div>
          <Legend colours={colours} />
        </Stack>
      </Panel>
      <DeviceTenants question={question} tenants={tenants} allocations={allocations} isMig={card.mode === 'mig'} />
      <Trends of={{ deviceUuid: card.uuid }} />
      <Facts card={card} />
      <DeviceHistory uuid={card.uuid} />
    </Stack>
  )
}

function Totals({ card }: { card: Card }) {
  const { t } = useTranslation('registering')
  const { usage, driver } = card
  return (
    <SimpleGrid cols={{ base: 1, xs: 2, lg: 4 }}>
      <Panel title={t('total.compute')} hint={t('total.computeHint', { free: units.cards(card.freeCores) })}>
        <Stack gap="xs">
          <Portion id="device-cores-used" label={t('total.allocated')} part={card.usedCores} whole={card.cores} text={units.cardsOf(card.usedCores, card.cores)} />
          <Portion id="device-busy" label={t('total.used')} part={usage?.busy} whole={100} />
        </Stack>
      </Panel>
      <Panel title={t('total.memory')} hint={t('total.memoryHint', { free: units.memory(card.freeMemoryMiB) })}>
        <Stack gap="xs">
          <Portion id="device-memory-used" label={t('total.allocated')} part={card.usedMemoryMiB} whole={card.memoryMiB} text={units.memoryOf(card.usedMemoryMiB, card.memoryMiB)} />
          <Portion id="device-memory-in-use" label={t('total.used')} part={usage?.memoryUsedMiB} whole={usage?.memoryTotalMiB} text={usage ? units.memoryOf(usage.memoryUsedMiB, usage.memoryTotalMiB) : undefined} />
        </Stack>
      </Panel>
      <Panel title={t('total.slots')} hint={t('total.slotsHint')}>
        <Portion id="device-slots-used" label={t('total.allocated')} part={card.usedSlots} whole={card.slots} text={`${units.count(card.usedSlots)} / ${units.count(card.slots)}`} />
      </Panel>
      <Panel title={t('total.now')}>
        <SimpleGrid cols={2} spacing="xs">
          <Fact label={t('column.temperature')}><Figure id="device-temperature" value={usage?.temperatureCelsius}>{units.celsius(usage?.temperatureCelsius)}</Figure></Fact>
          <Fact label={t('column.power')}><Figure id="device-power" value={usage?.powerWatts}>{units.watts(usage?.powerWatts)}</Figure></Fact>
          <Fact label={t('fact.memoryTemperature')}><Figure id="device-memory-temperature" value={driver?.memoryTemperatureCelsius}>{units.celsius(driver?.memoryTemperatureCelsius)}</Figure></Fact>
          <Fact label={t('fact.fan')}><Figure id="device-fan" value={driver?.fanPercent}>{units.percent(driver?.fanPercent)}</Figure></Fact>
        </SimpleGrid>
      </Panel>
    </SimpleGrid>
  )
}

function Facts({ card }: { card: Card }) {
  const { t } = useTranslation('registering')
  const over = overcommit([card])
  const factor = (value: number | null) => (value === null ? units.unknown : `${units.cards(value * 100)} ×`)
  return (
    <Panel title={t('fact.title')}>
      <SimpleGrid cols={{ base: 1, xs: 2, md: 3, lg: 4 }} verticalSpacing="xs">
        <Fact label="UUID"><span title={card.uuid}>{shortened(card.uuid)}</span> <CopyUuid uuid={card.uuid} /></Fact>
        <Fact label={t('node')}><PageLink to="/nodes/$node" params={{ node: card.node }} size="sm" data-testid="device-node">{card.node}</PageLink></Fact>
        <Fact label={t('column.model')}>{card.type}</Fact>
        <Fact label={t('column.vendor')}>{card.vendor}</Fact>
        <Fact label={t('fact.index')}>{card.index}</Fact>
        <Fact label={t('column.mode')}>{card.mode}</Fact>
        <Fact label={t('fact.numa')}>{card.numa}</Fact>
        <Fact label={t('fact.health')}>{t(card.healthy ? 'status.healthy' : 'status.unhealthy')}</Fact>
        <Fact label={t('fact.lastXid')}><Figure id="device-last-xid" value={card.driver?.lastXid}>{card.driver?.lastXid == null ? units.unknown : card.driver.lastXid === 0 ? t('fact.noXid') : `XID ${card.driver.lastXid}`}</Figure></Fact>
        <Fact label={t('fact.driver')}><Figure id="device-driver" value={card.driver?.version}>{card.driver?.version || units.unknown}</Figure></Fact>
        <Fact label={t('fact.placement')}>{t(card.cordoned ? 'status.cordonedDevice' : 'fact.open')}</Fact>
        <Fact label={t('over.memory')}><Figure id="device-memory-scaling" value={over.memory}>{factor(over.memory)}</Figure></Fact>
        <Fact label={t('over.cores')}><Figure id="device-core-scaling" value={over.cores}>{factor(over.cores)}</Figure></Fact>
        <Fact label={t('over.physical')}>{units.memory(over.physicalMiB)}</Fact>
        <Fact label={t('fact.told')}>{units.moment(card.usage?.at)}</Fact>
        {card.migProfiles.length > 0 && <Fact label={t('fact.profiles')}>{card.migProfiles.map((profile) => profile.name).join(', ')}</Fact>}
      </SimpleGrid>
    </Panel>
  )
}
