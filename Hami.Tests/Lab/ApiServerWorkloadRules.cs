using System.Text.Json.Nodes;

namespace Hami.Tests.Lab;

using static ApiServerGiven;

/// <summary>What of workloads and their surroundings is refused or filled in.</summary>
public sealed class ApiServerWorkloadRules
{
    private const string Template = """{"metadata":{"labels":{"app":"a"}},"spec":{"containers":[{"name":"c","image":"i"}]}}""";

    [Theory]
    [InlineData("""{"template":T}""", "[spec.selector: Required value, spec.template.metadata.labels: Invalid value: {\"app\":\"a\"}: `selector` does not match template `labels`]")]
    [InlineData("""{"selector":{"matchLabels":{"app":"b"}},"template":T}""", "spec.template.metadata.labels: Invalid value: {\"app\":\"a\"}: `selector` does not match template `labels`")]
    [InlineData("""{"selector":{},"template":T}""", "spec.selector: Invalid value: {}: empty selector is invalid for deployment")]
    [InlineData("""{"replicas":-1,"selector":{"matchLabels":{"app":"a"}},"template":T}""", "spec.replicas: Invalid value: -1: must be greater than or equal to 0")]
    [InlineData("""{"selector":{"matchLabels":{"app":"a"}},"strategy":{"type":"Recreate","rollingUpdate":{"maxSurge":1}},"template":T}""", "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'")]
    [InlineData("""{"selector":{"matchLabels":{"app":"a"}},"strategy":{"rollingUpdate":{"maxSurge":0,"maxUnavailable":0}},"template":T}""", "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0")]
    public async Task A_deployment_that_makes_no_sense_is_refused(string spec, string why)
    {
        await using var lab = await Running();
        var (code, status) = await lab.Send("POST", "/apis/apps/v1/namespaces/default/deployments", "{\"metadata\":{\"name\":\"d\"},\"spec\":" + spec.Replace("T", Template, StringComparison.Ordinal) + "}");
        Assert.Equal((422, $"Deployment.apps \"d\" is invalid: {why}"), (code, (string)status!["message"]!));
    }

    [Fact]
    public async Task A_selector_is_for_ever()
    {
        await using var lab = await Running();
        await Post(lab, "/apis/apps/v1/namespaces/default/deployments", "{\"metadata\":{\"name\":\"d\"},\"spec\":{\"selector\":{\"matchLabels\":{\"app\":\"a\"}},\"template\":" + Template + "}}");
        var (code, status) = await lab.Send("PATCH", "/apis/apps/v1/namespaces/default/deployments/d",
            """{"spec":{"selector":{"matchLabels":{"app":"b"}},"template":{"metadata":{"labels":{"app":"b"}}}}}""", "application/merge-patch+json");
        Assert.Equal((422, "Deployment.apps \"d\" is invalid: spec.selector: Invalid value: {\"matchLabels\":{\"app\":\"b\"}}: field is immutable"), (code, (string)status!["message"]!));
    }

    [Fact]
    public async Task A_job_chooses_its_own_pods_and_must_let_them_end()
    {
        await using var lab = await Running();
        var (code, status) = await lab.Send("POST", "/apis/batch/v1/namespaces/default/jobs", "{\"metadata\":{\"name\":\"j\"},\"spec\":{\"template\":" + Template + "}}");
        Assert.Equal((422, "Job.batch \"j\" is invalid: spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", \"Never\""), (code, (string)status!["message"]!));
        var job = await Post(lab, "/apis/batch/v1/namespaces/default/jobs",
            "{\"metadata\":{\"name\":\"j\"},\"spec\":{\"template\":" + Template.Replace("\"containers\"", "\"restartPolicy\":\"Never\",\"containers\"", StringComparison.Ordinal) + "}}");
        Assert.Equal((string)job["metadata"]!["uid"]!, (string)job["spec"]!["selector"]!["matchLabels"]!["batch.kubernetes.io/controller-uid"]!);
        Assert.Equal("j", (string)job["spec"]!["template"]!["metadata"]!["labels"]!["batch.kubernetes.io/job-name"]!);
        Assert.Equal((6, 1, 1), ((int)job["spec"]!["backoffLimit"]!, (int)job["spec"]!["completions"]!, (int)job["spec"]!["parallelism"]!));
    }

    [Fact]
    public async Task A_class_gives_its_priority_and_an_unknown_one_is_refused()
    {
        await using var lab = await Running();
        Assert.Equal((403, "pods \"p\" is forbidden: no PriorityClass with name high was found"), await Refusal(() => lab.Create(Pod("p", more: p => p.Spec.PriorityClassName = "high"))));
        await Post(lab, "/apis/scheduling.k8s.io/v1/priorityclasses", """{"metadata":{"name":"high"},"value":1000,"preemptionPolicy":"Never"}""");
        var high = await lab.Create(Pod("p", more: p => p.Spec.PriorityClassName = "high"));
        Assert.Equal((1000, "Never"), (high.Spec.Priority, high.Spec.PreemptionPolicy));
        await Post(lab, "/apis/scheduling.k8s.io/v1/priorityclasses", """{"metadata":{"name":"usual"},"value":5,"globalDefault":true}""");
        var usual = await lab.Create(Pod("q"));
        Assert.Equal((5, "usual"), (usual.Spec.Priority, usual.Spec.PriorityClassName));
        var (code, status) = await lab.Send("POST", "/apis/scheduling.k8s.io/v1/priorityclasses", """{"metadata":{"name":"other"},"value":6,"globalDefault":true}""");
        Assert.Equal((403, "priorityclasses.scheduling.k8s.io \"other\" is forbidden: PriorityClass usual is already marked as default. Only one default can exist"), (code, (string)status!["message"]!));
        (code, status) = await lab.Send("PATCH", "/apis/scheduling.k8s.io/v1/priorityclasses/high", """{"value":7}""", "application/merge-patch+json");
        Assert.Equal((422, "PriorityClass.scheduling.k8s.io \"high\" is invalid: value: Forbidden: may not be changed in an update."), (code, (string)status!["message"]!));
    }

    [Fact]
    public async Task A_pod_of_an_account_nobody_made_is_refused()
    {
        await using var lab = await Running();
        Assert.Equal(
            (403, "pods \"p\" is forbidden: error looking up service account default/robot: serviceaccount \"robot\" not found"),
            await Refusal(() => lab.Create(Pod("p", more: p => p.Spec.ServiceAccountName = "robot"))));
    }

    [Fact]
    public async Task A_runtime_class_adds_what_it_costs_and_where_it_runs()
    {
        await using var lab = await Running();
        await Post(lab, "/apis/node.k8s.io/v1/runtimeclasses", """{"metadata":{"name":"nvidia"},"handler":"nvidia","overhead":{"podFixed":{"memory":"64Mi"}},"scheduling":{"nodeSelector":{"gpu":"on"}}}""");
        var pod = await lab.Create(Pod("p", more: p => p.Spec.RuntimeClassName = "nvidia"));
        Assert.Equal(("64Mi", "on"), (pod.Spec.Overhead["memory"].ToString(), pod.Spec.NodeSelector["gpu"]));
    }

    private static async Task<JsonNode> Post(ApiServerGiven lab, string path, string body)
    {
        var (code, answer) = await lab.Send("POST", path, body);
        Assert.True(code == 201, answer?.ToJsonString());
        return answer!;
    }
}
