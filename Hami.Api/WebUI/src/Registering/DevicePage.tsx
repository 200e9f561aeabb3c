import { Page } from '../Plumbing/Page'

export default function DevicePage() {
  return <Page title="DevicePage">{null}</Page>
}
