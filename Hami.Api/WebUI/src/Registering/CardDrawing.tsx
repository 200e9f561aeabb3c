import { ColorSwatch, Group, Stack, Text, Tooltip, VisuallyHidden } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import * as units from '../Plumbing/units'
import classes from './CardDrawing.module.css'
import { atSlices, memorySlices, sideBySide, type Placed } from './layout'
import type { Tenant } from './tenants'

export interface DrawnCard {
  mode: string
  cores: number
  memoryMiB: number
  migProfiles: { placements: { start: number; size: number }[] }[]
}

/** A card's memory as a bar: who holds which part, or has which MIG instance, and what is free. */
export function MemoryBar({ card, tenants, colours, height = 24 }: { card: DrawnCard; tenants: Tenant[]; colours: Map<string, string>; height?: number }) {
  const { t } = useTranslation('registering')
  const instances = tenants.flatMap(({ key, mig }) => (mig ? [{ key, start: mig.start, size: mig.size }] : []))
  if (card.mode === 'mig' || instances.length > 0) {
    const slices = memorySlices(card.migProfiles)
    const placed = atSlices(slices, instances)
    const lanes = Math.max(...placed.map((place) => place.lane)) + 1
    return (
      <Bar
        label={t('drawing.instances')}
        height={height * lanes}
        lanes={lanes}
        placed={placed}
        tenants={tenants}
        colours={colours}
        words={(tenant) => [tenant.mig?.profile ?? tenant.pod, tenant.mig ? tenant.pod : units.memory(tenant.memoryMiB)]}
        free={(place) => ({ long: t('drawing.freeSlice', { slice: Math.round(place.start / place.width) }), short: String(Math.round(place.start / place.width)) })}
      />
    )
  }
  const free = t('drawing.free', { size: units.memory(Math.max(0, card.memoryMiB - sum(tenants, (tenant) => tenant.memoryMiB))) })
  return (
    <Bar
      label={t('drawing.memory')}
      height={height}
      placed={sideBySide(card.memoryMiB, tenants.map(({ key, memoryMiB }) => ({ key, size: memoryMiB })))}
      tenants={tenants}
      colours={colours}
      words={(tenant) => [tenant.pod, units.memory(tenant.memoryMiB)]}
      free={() => ({ long: free })}
    />
  )
}

/** A card's compute as a bar; who asked for none holds none. */
export function ComputeBar({ card, tenants, colours, height = 24 }: { card: DrawnCard; tenants: Tenant[]; colours: Map<string, string>; height?: number }) {
  const { t } = useTranslation('registering')
  const free = t('drawing.free', { size: units.percent(Math.max(0, card.cores - sum(tenants, (tenant) => tenant.cores))) })
  return (
    <Bar
      label={t('drawing.compute')}
      height={height}
      placed={sideBySide(card.cores, tenants.map(({ key, cores }) => ({ key, size: cores })))}
      tenants={tenants}
      colours={colours}
      words={(tenant) => [tenant.pod, units.percent(tenant.cores)]}
      free={() => ({ long: free })}
    />
  )
}

/** Which colour is which namespace. */
export function Legend({ colours }: { colours: Map<string, string> }) {
  return (
    <Group gap="md">
      {[...colours].map(([namespace, colour]) => (
        <Group key={namespace} gap={6} wrap="nowrap">
          <ColorSwatch size={10} color={colour} withShadow={false} />
          <Text size="xs">{namespace}</Text>
        </Group>
      ))}
    </Group>
  )
}

function Bar({ label, height, lanes = 1, placed, tenants, colours, words, free }: {
  label: string
  height: number
  lanes?: number
  placed: (Placed & { lane?: number })[]
  tenants: Tenant[]
  colours: Map<string, string>
  /** What stands in a slice: one line where the bar is low, two where there is room. */
  words: (tenant: Tenant) => [string, string]
  free: (place: Placed) => { long: string; short?: string }
}) {
  const { t } = useTranslation('registering')
  const of = new Map(tenants.map((tenant) => [tenant.key, tenant]))
  const isHigh = height / lanes >= 40
  return (
    <ul role="list" aria-label={label} className={classes.bar} style={{ height }}>
      {placed.map((place) => {
        const tenant = place.key === null ? undefined : of.get(place.key)
        const [first, second] = tenant ? words(tenant) : ['', '']
        return (
          <li
            key={place.key ?? `free-${place.start}`}
            className={classes.place}
            style={{ left: `${place.start * 100}%`, width: `${place.width * 100}%`, top: `${((place.lane ?? 0) / lanes) * 100}%`, height: `${100 / lanes}%` }}
          >
            {tenant ? (
              <Tooltip label={<TenantFacts tenant={tenant} />} events={{ hover: true, focus: true, touch: true }} withArrow multiline>
                <Link
                  to="/workloads/$podUid"
                  params={{ podUid: tenant.podUid }}
                  className={classes.slice}
                  style={{ background: colours.get(tenant.namespace) }}
                  data-testid="card-slice"
                  data-value={tenant.memoryMiB}
                >
                  <VisuallyHidden>{t('drawing.slice', { pod: `${tenant.namespace}/${tenant.pod}`, container: tenant.container, memory: units.memory(tenant.memoryMiB), compute: units.percent(tenant.cores) })}</VisuallyHidden>
                  <span className={`${classes.words} ${classes.strong}`} aria-hidden>{first}</span>
                  {isHigh && <span className={classes.words} aria-hidden>{second}</span>}
                </Link>
              </Tooltip>
            ) : (
              <div className={classes.free} title={free(place).long}>
                <span className={classes.long}>{free(place).long}</span>
                {free(place).short && <span className={classes.short} aria-hidden>{free(place).short}</span>}
              </div>
            )}
          </li>
        )
      })}
    </ul>
  )
}

function TenantFacts({ tenant }: { tenant: Tenant }) {
  const { t } = useTranslation('registering')
  return (
    <Stack gap={0}>
      <Text size="xs" fw={600}>{tenant.namespace}/{tenant.pod}</Text>
      <Text size="xs">{t('column.container')}: {tenant.container}</Text>
      {tenant.mig && <Text size="xs">{t('column.instance')}: {tenant.mig.profile}</Text>}
      <Text size="xs">{t('drawing.memory')}: {units.memory(tenant.memoryMiB)}</Text>
      <Text size="xs">{t('drawing.compute')}: {tenant.cores > 0 ? units.percent(tenant.cores) : t('drawing.noneAsked')}</Text>
      {tenant.phase && <Text size="xs">{t('column.phase')}: {t(`phase.${tenant.phase}`)}</Text>}
      {tenant.usage && <Text size="xs">{t('drawing.uses', { memory: units.memory(tenant.usage.memoryUsedMiB), busy: units.percent(tenant.usage.busy) })}</Text>}
    </Stack>
  )
}

function sum<T>(of: T[], value: (one: T) => number): number {
  return of.reduce((total, one) => total + value(one), 0)
}
