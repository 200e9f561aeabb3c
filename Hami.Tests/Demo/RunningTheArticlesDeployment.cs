using Hami.Lab.Cluster;
using Hami.Lab.Demo;
using Hami.Tests.Given;
using k8s;
using k8s.Models;

namespace Hami.Tests.Demo;

public sealed class RunningTheArticlesDeployment
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_Deployment_with_the_runtime_class_nvidia_yields_a_pod_that_sees_its_share_and_another_when_that_is_deleted()
    {
        await using var cluster = await TestCluster.StartAsync(nodes: [LabNode.Three[0]]);
        Assert.SkipWhen(cluster.Lab.Namespace != "default", "A runtime class belongs to the whole cluster; a test makes none in somebody else's.");
        var kubernetes = cluster.Lab.Kubernetes;
        var manifest = Manifests.Read(await File.ReadAllTextAsync(Path.Combine(BuiltPrograms.Examples, "gpu-test.yaml"), Ct)).Single();
        await kubernetes.AppsV1.CreateNamespacedDeploymentAsync(KubernetesJson.Deserialize<V1Deployment>(manifest.ToJsonString()), "default", cancellationToken: Ct);

        var first = await RunningAsync(kubernetes, otherThan: null);
        Assert.Equal("nvidia", first.Spec.RuntimeClassName);
        Assert.Contains("0MiB / 10240MiB", await LogAsync(kubernetes, first), StringComparison.Ordinal);

        await kubernetes.CoreV1.DeleteNamespacedPodAsync(first.Name(), "default", cancellationToken: Ct);
        var second = await RunningAsync(kubernetes, otherThan: first.Uid());
        Assert.Contains("0MiB / 10240MiB", await LogAsync(kubernetes, second), StringComparison.Ordinal);
    }

    private static async Task<V1Pod> RunningAsync(IKubernetes kubernetes, string? otherThan)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        patience.CancelAfter(TimeSpan.FromSeconds(120));
        while (true)
        {
            var pods = await kubernetes.CoreV1.ListNamespacedPodAsync("default", labelSelector: "app=gpu-test", cancellationToken: patience.Token);
            if (pods.Items.FirstOrDefault(pod => pod.Uid() != otherThan && pod.Status.Phase == "Running" && pod.Metadata.DeletionTimestamp is null) is { } running)
                return running;
            await Task.Delay(100, patience.Token);
        }
    }

    // What the container prints comes a moment after it runs.
    private static async Task<string> LogAsync(IKubernetes kubernetes, V1Pod pod)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        patience.CancelAfter(TimeSpan.FromSeconds(60));
        while (true)
        {
            await using var log = await kubernetes.CoreV1.ReadNamespacedPodLogAsync(pod.Name(), "default", cancellationToken: patience.Token);
            using var reader = new StreamReader(log);
            var text = await reader.ReadToEndAsync(patience.Token);
            if (text.Contains("No running processes", StringComparison.Ordinal))
                return text;
            await Task.Delay(100, patience.Token);
        }
    }
}
