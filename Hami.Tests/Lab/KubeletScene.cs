using Hami.Lab.ApiServer;
using Hami.Lab.Kubelet;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Hami.Tests.Lab;

/// <summary>One API server, one kubelet and one plugin in a folder of their own.</summary>
internal sealed class KubeletScene : IAsyncDisposable
{
    public const string Node = "node-a";
    private readonly string _folder;
    private readonly Func<LabKubeletOptions, LabKubeletOptions> _with;
    private LabApiServer _server;

    private KubeletScene(string folder, LabApiServer server, Func<LabKubeletOptions, LabKubeletOptions>? with)
    {
        _folder = folder;
        _with = with ?? (static o => o);
        _server = server;
        Kubernetes = new Kubernetes(new KubernetesClientConfiguration { Host = server.Address.ToString(), AccessToken = "lab" });
    }

    public Kubernetes Kubernetes { get; }

    public LabKubelet Kubelet { get; private set; } = null!;

    public KubeletTestPlugin Plugin { get; private set; } = null!;

    public static async Task<KubeletScene> Start(bool withPlugin = true, Func<LabKubeletOptions, LabKubeletOptions>? with = null)
    {
        var folder = Directory.CreateTempSubdirectory("k").FullName;
        var server = await LabApiServer.StartAsync(new() { StorePath = Path.Combine(folder, "store") }, TestContext.Current.CancellationToken);
        var scene = new KubeletScene(folder, server, with);
        await scene.StartKubelet();
        if (withPlugin)
            await scene.StartPlugin();
        return scene;
    }

    public async Task StartKubelet() => Kubelet = await LabKubelet.StartAsync(
        _with(new()
        {
            Kubernetes = Kubernetes,
            NodeName = Node,
            Directory = Path.Combine(_folder, "n"),
            DriverDirectory = _folder,
            DriverDevicesFile = Path.Combine(_folder, "devices.yaml"),
            ProgramsDirectory = _folder,
            StartRetry = TimeSpan.FromMilliseconds(100),
        }),
        TestContext.Current.CancellationToken);

    public async Task StartPlugin(string socket = "gpu.sock")
    {
        Plugin = await KubeletTestPlugin.Start(Kubelet.PluginsDirectory, socket);
        Plugin.PodResourcesSocket = Kubelet.PodResourcesSocket;
        await Plugin.Register(Kubelet.PluginsDirectory);
        await Eventually(async () => await Healthy() == "4");
    }

    public async Task RestartServer(TimeSpan away)
    {
        var port = _server.Address.Port;
        await _server.DisposeAsync();
        await Task.Delay(away);
        _server = await LabApiServer.StartAsync(new() { StorePath = Path.Combine(_folder, "store"), Port = port }, TestContext.Current.CancellationToken);
    }

    public async Task<string> Healthy() =>
        (await Kubernetes.CoreV1.ReadNodeAsync(Node)).Status.Allocatable.TryGetValue(KubeletTestPlugin.Resource, out var count) ? count.ToString() : "";

    public static V1Container Container(string name, int gpus, params string[] command) => new()
    {
        Name = name,
        Image = "x",
        Command = command,
        Resources = gpus == 0 ? null : new()
        {
            Limits = new Dictionary<string, ResourceQuantity>(StringComparer.Ordinal) { [KubeletTestPlugin.Resource] = new(gpus.ToString()) },
        },
    };

    public Task<V1Pod> Run(string name, params V1Container[] containers) => Run(name, "Never", [], containers);

    /// <summary>Creates a pod already bound to our node.</summary>
    public Task<V1Pod> Run(string name, string restartPolicy, IList<V1Container> init, params V1Container[] containers) =>
        Kubernetes.CoreV1.CreateNamespacedPodAsync(
            new()
            {
                ApiVersion = "v1",
                Kind = "Pod",
                Metadata = new() { Name = name },
                Spec = new()
                {
                    NodeName = Node,
                    RestartPolicy = restartPolicy,
                    InitContainers = init.Count == 0 ? null : init,
                    Containers = containers,
                    TerminationGracePeriodSeconds = 1,
                },
            },
            "default");

    /// <summary>Creates a pod bound to our node, as changed.</summary>
    public Task<V1Pod> Run(string name, Action<V1Pod> change)
    {
        var pod = new V1Pod
        {
            ApiVersion = "v1",
            Kind = "Pod",
            Metadata = new() { Name = name },
            Spec = new() { NodeName = Node, RestartPolicy = "Never", TerminationGracePeriodSeconds = 1 },
        };
        change(pod);
        return Kubernetes.CoreV1.CreateNamespacedPodAsync(pod, "default");
    }

    public async Task<V1Pod> Until(string name, Func<V1Pod, bool> holds)
    {
        V1Pod? pod = null;
        await Eventually(async () => holds(pod = await Kubernetes.CoreV1.ReadNamespacedPodAsync(name, "default")), () => KubernetesJson.Serialize(pod?.Status));
        return pod!;
    }

    public Task<V1Pod> Until(string name, string phase) => Until(name, p => p.Status.Phase == phase);

    public Task UntilGone(string name) => Eventually(async () =>
    {
        try
        {
            await Kubernetes.CoreV1.ReadNamespacedPodAsync(name, "default");
            return false;
        }
        catch (HttpOperationException e)
        {
            return e.Response.StatusCode == System.Net.HttpStatusCode.NotFound;
        }
    });

    public async Task<string> Logs(string pod, string container, string query = "")
    {
        using var http = new HttpClient(new SocketsHttpHandler
        {
#pragma warning disable MA0039, CA5359 // As an API server does: a kubelet's certificate is its own work.
            SslOptions = { RemoteCertificateValidationCallback = static (_, _, _, _) => true },
#pragma warning restore MA0039, CA5359
        });
        return await http.GetStringAsync(new Uri(Kubelet.Address, $"/containerLogs/default/{pod}/{container}{query}"));
    }

    public static async Task Eventually(Func<Task<bool>> holds, Func<string>? otherwise = null)
    {
        for (var i = 0; i < 1200; i++)
        {
            if (await holds())
                return;
            await Task.Delay(25);
        }
        Assert.Fail(otherwise?.Invoke() ?? "It did not come true within 30 seconds.");
    }

    public async ValueTask DisposeAsync()
    {
        if (Plugin is not null)
            await Plugin.DisposeAsync();
        await Kubelet.DisposeAsync();
        Kubernetes.Dispose();
        await _server.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }
}
