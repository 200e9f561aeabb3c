import { useNavigate } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import type { ClusterQuery } from '../../Plumbing/asked'
import { Donut } from '../../Plumbing/charts'
import { Panel } from '../../Plumbing/Page'
import * as units from '../../Plumbing/units'

/** Cards by product name; each the way to them. */
export function CardTypes({ cluster }: { cluster: ClusterQuery['cluster'] }) {
  const { t } = useTranslation('observing')
  const navigate = useNavigate()
  return (
    <Panel title={t('overview.types')}>
      <Donut
        label={t('overview.types')}
        middle={units.count(cluster.devices)}
        parts={cluster.types.map((type) => ({ name: type.type, value: type.devices }))}
        onChoose={(type) => void navigate({ to: '/devices', search: { type } as never })}
      />
    </Panel>
  )
}
