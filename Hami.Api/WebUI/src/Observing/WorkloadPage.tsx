import { Page } from '../Plumbing/Page'

export default function WorkloadPage() {
  return <Page title="WorkloadPage">{null}</Page>
}
