import { Page } from '../Plumbing/Page'

export default function DevicesPage() {
  return <Page title="DevicesPage">{null}</Page>
}
