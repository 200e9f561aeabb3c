using System.Text;
using Hami.Lab.Cluster;
using Hami.Tests.Given;
using k8s;
using k8s.Models;

namespace Hami.Tests.Lab;

/// <summary>The lab's scheduler, controllers and kubelets follow the same pods, which are decoded once for all of them.</summary>
public sealed class ReadingPodsOnce
{
    [Fact]
    public void The_same_version_is_the_same_object_whatever_its_change_is_called()
    {
        var uid = Guid.NewGuid().ToString();

        var (type, pod) = PodsReadOnce.Read(Line("MODIFIED", uid, "7"));
        var (entered, same) = PodsReadOnce.Read(Line("ADDED", uid, "7"));
        var (left, last) = PodsReadOnce.Read(Line("DELETED", uid, "7"));

        Assert.Equal([WatchEventType.Modified, WatchEventType.Added, WatchEventType.Deleted], [type, entered, left]);
        Assert.Equal((uid, "7"), (pod.Metadata.Uid, pod.Metadata.ResourceVersion));
        Assert.Same(pod, same);
        Assert.Same(pod, last);
    }

    [Fact]
    public void Another_version_is_another_object_also_where_its_text_begins_alike()
    {
        var uid = Guid.NewGuid().ToString();
        var padding = new string('x', 600);

        var one = PodsReadOnce.Read(Line("ADDED", uid, "7", $"{padding}1")).Object;
        var other = PodsReadOnce.Read(Line("ADDED", uid, "7", $"{padding}2")).Object;

        Assert.Equal(($"{padding}1", $"{padding}2"), (one.Metadata.Annotations["a"], other.Metadata.Annotations["a"]));
        Assert.Equal("8", PodsReadOnce.Read(Line("ADDED", uid, "8")).Object.Metadata.ResourceVersion);
    }

    [Fact]
    public void A_spec_that_stayed_is_the_same_object_in_the_next_version()
    {
        var uid = Guid.NewGuid().ToString();

        var one = PodsReadOnce.Read(Line("ADDED", uid, "7", "1")).Object;
        var next = PodsReadOnce.Read(Line("MODIFIED", uid, "8", "2")).Object;

        Assert.NotSame(one, next);
        Assert.Same(one.Spec, next.Spec);
    }

    [Fact]
    public void A_pod_is_read_as_the_client_reads_it()
    {
        var pods = Recordings.Pods().ToList();
        Assert.NotEmpty(pods);
        foreach (var pod in pods)
        {
            var read = PodsReadOnce.Read(Encoding.UTF8.GetBytes($$"""{"type":"ADDED","object":{{pod.ToJsonString()}}}""")).Object;

            Assert.Equal(KubernetesJson.Serialize(KubernetesJson.Deserialize<V1Pod>(pod.ToJsonString())), KubernetesJson.Serialize(read));
        }
    }

    [Fact]
    public void A_bookmark_is_read_and_an_error_thrown()
    {
        Assert.Equal(WatchEventType.Bookmark, PodsReadOnce.Read("""{"type":"BOOKMARK","object":{"kind":"Pod","metadata":{"resourceVersion":"9"}}}"""u8).Type);
        var error = Assert.Throws<KubernetesException>(() => PodsReadOnce.Read("""{"type":"ERROR","object":{"kind":"Status","status":"Failure","code":410}}"""u8));
        Assert.Equal(410, error.Status.Code);
    }

    private static byte[] Line(string type, string uid, string revision, string annotation = "") => Encoding.UTF8.GetBytes(
        $$$"""{"type":"{{{type}}}","object":{"kind":"Pod","apiVersion":"v1","metadata":{"name":"p","uid":"{{{uid}}}","resourceVersion":"{{{revision}}}","annotations":{"a":"{{{annotation}}}"}},"spec":{"containers":[{"name":"c"}] } } }""");
}
