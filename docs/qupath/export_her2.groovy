/*
 * Write annotations and classified cells of the open image as GeoJSON that napari-her2 takes back.
 *
 *   napari-her2 import CASE PROJECT/from_qupath_ihc.geojson --slide ihc --reader "your name"
 *
 * Areas go to the case's drawn areas; Region* or Reviewed says that everything inside is labelled. Cells
 * whose class was changed here become a reader's verdicts: give them a class that ends in 0, 1+, 2+, 3+ or
 * unusual ("Tumor: 3+"), or leave one out with "Excluded: reader: 2+".
 * For research use only; not for diagnosis.
 */

// The slide this image is, and the file in the project's folder.
def slide = "ihc"
def path = buildFilePath(PROJECT_BASE_DIR, "from_qupath_${slide}.geojson")

def areas = getAnnotationObjects().findAll { it.getROI().isArea() }
// Says on which slide each area lies, so that none can land on the other.
areas.each {
    if (it.metaClass.respondsTo(it, "getMetadata"))
        it.getMetadata().put("slide", slide)
    else
        it.putMetadataValue("slide", slide)
}
def cells = getDetectionObjects().findAll { it.getPathClass() != null }

exportObjectsToGeoJson(areas + cells, path, "FEATURE_COLLECTION")
println "${areas.size()} areas and ${cells.size()} cells: ${path}"
