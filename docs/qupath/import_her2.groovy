/*
 * Take a GeoJSON of napari-her2 into the open image: areas, cells, classes with their colours, hierarchy.
 *
 *   napari-her2 export CASE --to geojson --slide ihc --out PROJECT/her2_ihc.geojson
 *
 * Open the same slide in a QuPath project, set the two names below, and run this script.
 * For research use only; not for diagnosis.
 */
import qupath.lib.io.PathIO

// The slide this image is, "ihc" or "he", and the file in the project's folder.
def slide = "ihc"
def path = buildFilePath(PROJECT_BASE_DIR, "her2_${slide}.geojson")

// Newer versions keep an object's texts in getMetadata(), older ones in getMetadataMap() of annotations only.
def text = { object, key ->
    if (object.metaClass.respondsTo(object, "getMetadata"))
        return object.getMetadata().get(key)
    return object.metaClass.respondsTo(object, "getMetadataMap") ? object.getMetadataMap().get(key) : null
}

// Coordinates of the other slide mean nothing on this image.
def objects = PathIO.readObjects(new File(path).toPath()).findAll {
    def whose = text(it, "slide")
    whose == null || whose == slide
}

// What an earlier import brought has the class of a cell of ours, or says who made it or what the piece of tissue is.
def earlier = getDetectionObjects().findAll { it.getPathClass()?.toString() ==~ /(Tumor|Other|Excluded): .*/ } +
    getAnnotationObjects().findAll { text(it, "method") != null || text(it, "role") != null }
removeObjects(earlier, true)

addObjects(objects)
// Cells become children of the areas that hold them, areas of those around them.
resolveHierarchy()
fireHierarchyUpdate()

def areas = objects.findAll { it.isAnnotation() }
println "${areas.size()} areas and ${objects.count { it.isDetection() }} cells"
areas.countBy { it.getPathClass()?.toString() }.each { name, n -> println "  ${name}: ${n}" }
def carried = areas.count { text(it, "carried") == "true" }
if (carried > 0)
    println "${carried} areas were carried over from the other slide by the alignment: check their edges"
