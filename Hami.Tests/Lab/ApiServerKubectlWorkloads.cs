using k8s;
using k8s.Models;

namespace Hami.Tests.Lab;

using static ApiServerGiven;

/// <summary>The real kubectl with workloads, rights and questions, where there is one.</summary>
public sealed class ApiServerKubectlWorkloads : IDisposable
{
    private readonly KubectlGiven _kubectl = new();

    public void Dispose() => _kubectl.Dispose();

    [Fact]
    public async Task A_deployments_life()
    {
        await using var lab = await WithKubectl();
        Assert.Equal("deployment.apps/web created\n", await Kubectl("create deployment web --image=busybox:1.36 --replicas=2"));
        await ControllersGiven.Eventually(() => lab.Pods("web"), p => p.Count == 2);
        Assert.Matches(@"^NAME   READY   UP-TO-DATE   AVAILABLE   AGE\nweb    0/2     2            0           \d+s\n$", await Until("get deployments", o => o.Contains("     2    ", StringComparison.Ordinal)));
        await lab.AllBecomeReady("web");
        Assert.EndsWith("deployment \"web\" successfully rolled out\n", await Kubectl("rollout status deployment web --timeout=30s"), StringComparison.Ordinal);
        Assert.Contains("deployment.apps/web condition met", await Kubectl("wait deployment/web --for=condition=Available --timeout=30s"), StringComparison.Ordinal);
        Assert.Equal("deployment.apps/web scaled\n", await Kubectl("scale deployment web --replicas=3"));
        await ControllersGiven.Eventually(() => lab.Pods("web"), p => p.Count == 3);
        var described = await Kubectl("describe deployment web");
        Assert.Contains("StrategyType:           RollingUpdate", described, StringComparison.Ordinal);
        Assert.Contains("ScalingReplicaSet", described, StringComparison.Ordinal);
        Assert.Contains("Controlled By:  Deployment/web", await Kubectl("describe replicasets"), StringComparison.Ordinal);
        Assert.Matches(@"replicaset.apps/web-\w+ +3 +3 +2 +\d+s", await Kubectl("get all"));
        Assert.Equal("deployment.apps \"web\" deleted\n", await Kubectl("delete deployment web"));
        await ControllersGiven.Eventually(() => lab.Pods("web"), p => p.Count == 0);
        Assert.Equal("job.batch/once created\n", await Kubectl("create job once --image=busybox:1.36"));
        Assert.Matches(@"Completions:\s+1\n", await Kubectl("describe job once"));
        Assert.Equal("job.batch \"once\" deleted\n", await Kubectl("delete job once --cascade=foreground"));
    }

    [Fact]
    public async Task Rights_and_questions()
    {
        await using var lab = await WithKubectl();
        Assert.Equal("yes\n", await Kubectl("auth can-i list pods"));
        Assert.Equal("role.rbac.authorization.k8s.io/looker created\n", await Kubectl("create role looker --verb=get,list --resource=pods"));
        Assert.Equal("rolebinding.rbac.authorization.k8s.io/looks created\n", await Kubectl("create rolebinding looks --role=looker --serviceaccount=default:default"));
        Assert.Equal("yes\n", await Kubectl("auth can-i list pods --as=system:serviceaccount:default:default"));
        Assert.StartsWith("no", await Kubectl("auth can-i delete pods --as=system:serviceaccount:default:default"), StringComparison.Ordinal);
        Assert.Matches(@"pods +\[\] +\[\] +\[get list\]", await Kubectl("auth can-i --list --as=system:serviceaccount:default:default"));
        Assert.Contains("User \"eve\" cannot list resource \"pods\" in API group \"\" in the namespace \"default\"", await Kubectl("get pods --as=eve"), StringComparison.Ordinal);
        Assert.Equal("priorityclass.scheduling.k8s.io/high created\n", await Kubectl("create priorityclass high --value=10"));
        Assert.Matches("replicasets +rs +apps/v1 +true +ReplicaSet", await Kubectl("api-resources"));
        Assert.Contains("rbac.authorization.k8s.io/v1", await Kubectl("api-versions"), StringComparison.Ordinal);
        Assert.Contains("ok", await Kubectl("get --raw /readyz"), StringComparison.Ordinal);
        if (!(await Kubectl("version --client")).Contains("v1.20", StringComparison.Ordinal))
        {
            Assert.Matches("Username +admin", await Kubectl("auth whoami"));
            Assert.Matches(@"^[\w-]+\.[\w-]+\.[\w-]+\n?$", await Kubectl("create token default"));
            Assert.Contains("containers\t<[]Container> -required-", await Kubectl("explain pod.spec"), StringComparison.Ordinal);
        }
        Assert.Contains("error", await Kubectl("top nodes"), StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task A_node_is_cordoned_drained_and_tainted()
    {
        await using var lab = await WithKubectl();
        await lab.Client.CoreV1.CreateNodeAsync(new() { Metadata = new() { Name = "n" } }, cancellationToken: Cancellation);
        await lab.Lab.Create(Pod("p"));
        Assert.Equal("node/n cordoned\n", await Kubectl("cordon n"));
        Assert.Contains("node/n", await Kubectl("drain n --force"), StringComparison.Ordinal);
        Assert.Equal("node/n uncordoned\n", await Kubectl("uncordon n"));
        Assert.Equal("node/n tainted\n", await Kubectl("taint node n a=b:NoSchedule"));
        Assert.Contains("a=b:NoSchedule", await Kubectl("describe node n"), StringComparison.Ordinal);
        Assert.Contains("does not carry exec streams", await Kubectl("exec p -- true"), StringComparison.Ordinal);
    }

    private async Task<ControllersGiven> WithKubectl()
    {
        var lab = await ControllersGiven.Running();
        if (!await _kubectl.Reaches(lab.Lab.Server))
        {
            await lab.DisposeAsync();
            Assert.Skip("kubectl is not installed on this machine.");
        }
        return lab;
    }

    private Task<string> Until(string arguments, Func<string, bool> isSo) => ControllersGiven.Eventually(() => Kubectl(arguments), isSo);

    private Task<string> Kubectl(string arguments) => _kubectl.Run(arguments);
}
