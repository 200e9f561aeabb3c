import { Alert, Button, Code, Stack, Text } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { Page } from './Page'

/** Where no page is. */
export function LostPage() {
  const { t } = useTranslation('plumbing')
  return (
    <Page title={t('lostPage.title')}>
      <Text>{t('lostPage.hint')}</Text>
      <Button component={Link} to="/" w="fit-content">{t('lostPage.home')}</Button>
    </Page>
  )
}

/** A page with a bug in it; the others still work. */
export function Broken({ error }: { error: unknown }) {
  const { t } = useTranslation('plumbing')
  return (
    <Alert color="red" title={t('failed.crashed')} role="alert">
      <Stack gap="xs" align="flex-start">
        <Text size="sm">{t('failed.crashedHint')}</Text>
        <Code block>{error instanceof Error ? error.message : String(error)}</Code>
        <Button size="xs" variant="default" onClick={() => location.reload()}>{t('failed.reload')}</Button>
      </Stack>
    </Alert>
  )
}
