using k8s;

namespace Hami.Tests.Lab;

using static ApiServerGiven;

/// <summary>The real kubectl against the lab's API server, where there is one.</summary>
public sealed class ApiServerKubectl : IDisposable
{
    private const string Manifest = """
        apiVersion: v1
        kind: Pod
        metadata:
          name: solo
          annotations: {nvidia.com/use-gputype: "A100,V100"}
        spec:
          containers:
          - name: main
            image: busybox
            command: [sleep, "3600"]
            resources: {limits: {nvidia.com/gpu: "2", nvidia.com/gpumem: 3000}}
        """;

    private readonly KubectlGiven _kubectl = new();

    public void Dispose() => _kubectl.Dispose();

    [Fact]
    public async Task The_flows_of_a_user_work_as_recorded()
    {
        await using var lab = await WithKubectl();
        await File.WriteAllTextAsync(Path.Combine(_kubectl.Folder, "pod.yaml"), Manifest, Cancellation);
        Assert.Equal("pod/solo created\n", await Kubectl("apply -f pod.yaml"));
        Assert.Equal("pod/solo configured\n", await Kubectl("apply -f pod.yaml"));
        Assert.Matches(@"^NAME   READY   STATUS    RESTARTS   AGE\nsolo   0/1     Pending   0          \d+s\n$", await Kubectl("get pods"));
        Assert.Matches(@"IP       NODE     NOMINATED NODE   READINESS GATES\nsolo +0/1 +Pending +0 +\d+s +<none> +<none> +<none> +<none>\n$", await Kubectl("get pods -o wide"));
        Assert.Contains("nvidia.com/gpumem: 3k", await Kubectl("get pod solo -o yaml"), StringComparison.Ordinal);
        Assert.Contains("nvidia.com/gpumem:  3k", await Kubectl("describe pod solo"), StringComparison.Ordinal);
        Assert.Equal("pod/solo annotated\n", await Kubectl("annotate pod solo note=hello"));
        Assert.Equal("Error from server (NotFound): pods \"nope\" not found\n", await Kubectl("get pod nope"));
        Assert.Equal("Error from server (AlreadyExists): error when creating \"pod.yaml\": pods \"solo\" already exists\n", await Kubectl("create -f pod.yaml"));
        Assert.Equal("", await Kubectl("logs solo"));
        Assert.Equal("pod \"solo\" deleted\n", await Kubectl("delete pod solo"));
        Assert.Equal("No resources found in default namespace.\n", await Kubectl("get pods"));
    }

    [Fact]
    public async Task What_kubectl_makes_from_flags_arrives_too()
    {
        await using var lab = await WithKubectl();
        Assert.Equal("namespace/team created\n", await Kubectl("create namespace team"));
        Assert.Equal("configmap/m created\n", await Kubectl("create configmap m --from-literal=a=b -n team"));
        Assert.Equal("secret/s created\n", await Kubectl("create secret generic s --from-literal=a=b -n team"));
        Assert.Equal("resourcequota/q created\n", await Kubectl("create quota q --hard=limits.nvidia.com/gpumem=3000 -n team"));
        Assert.Equal("b", (await lab.Client.CoreV1.ReadNamespacedConfigMapAsync("m", "team", cancellationToken: Cancellation)).Data["a"]);
        Assert.Equal("b"u8.ToArray(), (await lab.Client.CoreV1.ReadNamespacedSecretAsync("s", "team", cancellationToken: Cancellation)).Data["a"]);
        Assert.Equal("3k", (await lab.Client.CoreV1.ReadNamespacedResourceQuotaAsync("q", "team", cancellationToken: Cancellation)).Spec.Hard["limits.nvidia.com/gpumem"].ToString());
        Assert.Equal("namespace \"team\" deleted\n", await Kubectl("delete namespace team"));
    }

    [Fact]
    public async Task Mistakes_are_found_by_the_server()
    {
        await using var lab = await WithKubectl();
        await File.WriteAllTextAsync(Path.Combine(_kubectl.Folder, "bad.yaml"), Manifest.Replace("image: busybox", "imagee: busybox", StringComparison.Ordinal), Cancellation);
        // kubectl before 1.25 does not ask the server to be strict; then the field is dropped, and what it should have said is missing.
        var asksStrictly = !(await Kubectl("version --client")).Contains("v1.20", StringComparison.Ordinal);
        Assert.Contains(
            asksStrictly ? "strict decoding error: unknown field \"spec.containers[0].imagee\"" : "spec.containers[0].image: Required value",
            await Kubectl("create -f bad.yaml"), StringComparison.Ordinal);
        await File.WriteAllTextAsync(Path.Combine(_kubectl.Folder, "half.yaml"), Manifest.Replace("\"2\"", "half", StringComparison.Ordinal), Cancellation);
        Assert.Equal(
            "Error from server (BadRequest): error when creating \"half.yaml\": Pod in version \"v1\" cannot be handled as a Pod: "
            + "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'\n",
            await Kubectl("create -f half.yaml"));
    }

    private async Task<ApiServerGiven> WithKubectl()
    {
        var lab = await Running();
        if (!await _kubectl.Reaches(lab.Server))
        {
            await lab.DisposeAsync();
            Assert.Skip("kubectl is not installed on this machine.");
        }
        return lab;
    }

    private Task<string> Kubectl(string arguments) => _kubectl.Run(arguments);
}
