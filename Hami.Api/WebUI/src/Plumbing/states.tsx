import { Alert, Button, Center, Skeleton, Stack, Text } from '@mantine/core'
import { CircleAlert, CloudOff, History, Lock, SearchX } from 'lucide-react'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { AskError } from './ask'
import { useMoment } from './moment'

/** Says in words what went wrong, and what to do. */
export function Failed({ error, again }: { error: unknown; again?: () => void }) {
  const { t } = useTranslation('plumbing')
  const moment = useMoment()
  const code = error instanceof AskError ? error.code : 'OTHER'
  const message = error instanceof Error ? error.message : String(error)
  const [icon, title, what] =
    code === 'OFFLINE' ? [<CloudOff />, t('failed.offline'), t('failed.offlineHint')]
    : code === 'FORBIDDEN' ? [<Lock />, t('failed.forbidden'), message]
    : code === 'ARCHIVED' ? [<History />, t('failed.archived'), message]
    : code === 'UNAVAILABLE' ? [<CloudOff />, t('failed.unavailable'), message]
    : [<CircleAlert />, t('failed.other'), message]
  return (
    <Alert icon={icon} title={title} color={code === 'FORBIDDEN' ? 'yellow' : 'red'} variant="light" role="alert">
      <Stack gap="xs" align="flex-start">
        <Text size="sm">{what}</Text>
        {code === 'ARCHIVED' && !moment.isNow ? (
          <Button size="xs" variant="default" onClick={() => moment.set(undefined)}>{t('now')}</Button>
        ) : (
          again && <Button size="xs" variant="default" onClick={again}>{t('failed.again')}</Button>
        )}
      </Stack>
    </Alert>
  )
}

/** Nothing to show, and what to do about it. */
export function Empty({ title, hint, action }: { title: string; hint?: ReactNode; action?: ReactNode }) {
  return (
    <Center p="xl">
      <Stack align="center" gap={4}>
        <SearchX size={32} aria-hidden opacity={0.5} />
        <Text fw={500}>{title}</Text>
        {hint && <Text size="sm" c="dimmed" ta="center" maw={480}>{hint}</Text>}
        {action}
      </Stack>
    </Center>
  )
}

/** Shows an answer, or that it is awaited, or why there is none. An answer that is there stays while it is asked again. */
export function Answered<T>({ question, children, height = 160 }: {
  question: { data: T | undefined; error: unknown; refetch: () => unknown }
  children: (data: T) => ReactNode
  height?: number
}) {
  const { t } = useTranslation('plumbing')
  if (question.data !== undefined)
    return (
      <>
        {question.error ? <Failed error={question.error} again={() => question.refetch()} /> : null}
        {children(question.data)}
      </>
    )
  if (question.error) return <Failed error={question.error} again={() => question.refetch()} />
  return <Skeleton height={height} aria-label={t('loading')} />
}
