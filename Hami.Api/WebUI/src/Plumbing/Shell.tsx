import { Alert, AppShell, Badge, Burger, Group, NavLink, ScrollArea, Text, Tooltip } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { Link, Outlet, useLocation } from '@tanstack/react-router'
import { Boxes, ChartColumn, CircleDashed, CloudOff, Cpu, Gauge, History, Server, Users } from 'lucide-react'
import { useEffect } from 'react'
import { useTranslation } from 'react-i18next'
import { UserMenu } from '../Access/UserMenu'
import { TimeBar, TimeButton, useTimeBar } from '../Replaying/TimeBar'
import { useConnection } from './live'
import { useMoment } from './moment'
import { LanguageMenu, SchemeButton } from './preferences'
import classes from './Shell.module.css'

const pages = [
  { to: '/', word: 'overview', icon: Gauge },
  { to: '/nodes', word: 'nodes', icon: Server },
  { to: '/devices', word: 'devices', icon: Cpu },
  { to: '/workloads', word: 'workloads', icon: Boxes },
  { to: '/pending', word: 'pending', icon: CircleDashed },
  { to: '/namespaces', word: 'namespaces', icon: Users },
  { to: '/usage', word: 'usage', icon: ChartColumn },
  { to: '/history', word: 'history', icon: History },
] as const

/** What surrounds every page. */
export function Shell() {
  const { t } = useTranslation('plumbing')
  const [isOpen, { toggle, close }] = useDisclosure(false)
  const path = useLocation({ select: (location) => location.pathname })
  const connection = useConnection()
  const moment = useMoment()
  const time = useTimeBar()
  useEffect(close, [path, close])
  return (
    <AppShell header={{ height: 56 }} navbar={{ width: 200, breakpoint: 'sm', collapsed: { mobile: !isOpen } }} padding="md">
      <a href="#content" className={classes.skip}>{t('shell.skip')}</a>
      <AppShell.Header>
        <Group h="100%" px="md" justify="space-between" wrap="nowrap" gap="xs">
          <Group gap="xs" wrap="nowrap">
            <Burger opened={isOpen} onClick={toggle} hiddenFrom="sm" size="sm" aria-label={t('shell.menu')} />
            <img src="/favicon.svg" alt="" width={28} height={28} />
            <Text fw={700} size="lg" visibleFrom="xs">HAMi</Text>
          </Group>
          <Group gap={4} wrap="nowrap">
            {moment.isNow && connection.state !== 'lost' && (
              <Badge variant="dot" color={connection.state === 'live' ? 'teal' : 'gray'} visibleFrom="xs">{t(connection.state === 'live' ? 'shell.live' : 'shell.connecting')}</Badge>
            )}
            {connection.state === 'lost' && (
              <Tooltip label={t('shell.lostHint')}>
                <Badge color="red" leftSection={<CloudOff size={12} />}>{t('shell.lost')}</Badge>
              </Tooltip>
            )}
            <TimeButton {...time} />
            <LanguageMenu />
            <SchemeButton />
            <UserMenu />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="xs" component="nav" aria-label={t('shell.pages')}>
        <ScrollArea>
          {pages.map(({ to, word, icon: Icon }) => (
            <NavLink key={to} component={Link} to={to} label={t(`shell.${word}`)} leftSection={<Icon size={18} aria-hidden />} active={to === '/' ? path === '/' : path.startsWith(to)} aria-current={(to === '/' ? path === '/' : path.startsWith(to)) ? 'page' : undefined} />
          ))}
        </ScrollArea>
      </AppShell.Navbar>
      <AppShell.Main id="content">
        {connection.state === 'lost' && moment.isNow && <Alert color="red" variant="light" icon={<CloudOff />} mb="md" role="status" title={t('shell.lost')}>{t('shell.lostHint')}</Alert>}
        <TimeBar {...time} />
        <Outlet />
      </AppShell.Main>
    </AppShell>
  )
}
